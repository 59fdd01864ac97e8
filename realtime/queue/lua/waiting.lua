-- ARGV  1 how many at the most
-- Returns {id, user, payload} of those that wait, in the order of their turns.

local most = tonumber(ARGV[1])
local found = {}
local door = at_the_door()
if door > 0 then
  local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', math.min(door, most))
  for i = #newest, 1, -1 do found[#found + 1] = newest[i][2][2] end
end
local lists = {}
for _, user in ipairs(redis.call('LRANGE', ring, 0, most - 1)) do
  lists[#lists + 1] = redis.call('LRANGE', of .. user, 0, most - 1)
end
local turn, more = 1, true
while more and #found < most do
  more = false
  for _, list in ipairs(lists) do
    if list[turn] and #found < most then
      found[#found + 1] = list[turn]
      more = true
    end
  end
  turn = turn + 1
end
local told = {}
for _, id in ipairs(found) do
  local job = read(id)
  if job then told[#told + 1] = { id, job.u, job.p } end
end
return told
