-- ARGV  1 consumer  2 how many  3 lease in milliseconds
-- First what was left behind, then what is due again, then new ones, one user after the other.
-- Returns born, then {id, user, payload, deliveries, note} for each.

local consumer, count, lease = ARGV[1], tonumber(ARGV[2]), ARGV[3]

for _, id in ipairs(redis.call('ZRANGE', later, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)) do
  redis.call('ZREM', later, id)
  local job = read(id)
  if job then wait(id, job) end
end

local claimed = { redis.call('GET', born) }

local function give(row)
  local id = row[2][2]
  local job = read(id)
  if not job or job.r ~= row[1] then
    redis.call('XACK', stream, GROUP, row[1])
    redis.call('XDEL', stream, row[1])
    return
  end
  local _, times = owner(job)
  claimed[#claimed + 1] = { id, job.u, job.p, job.n + times, job.k or '' }
end

-- One answer looks at a part of what is worked on: a dead worker's jobs may be behind those of many others.
local cursor = '0-0'
repeat
  local answer = redis.call('XAUTOCLAIM', stream, GROUP, consumer, lease, cursor, 'COUNT', count - #claimed + 1)
  cursor = answer[1]
  for _, row in ipairs(answer[2]) do give(row) end
until cursor == '0-0' or #claimed > count

local room = count - #claimed + 1
if room > 0 then
  local door = at_the_door()
  while door < room and admit() do door = door + 1 end
  if door > 0 then
    local answer = redis.call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', room, 'STREAMS', stream, '>')
    for _, row in ipairs(answer and answer[1][2] or {}) do give(row) end
  end
end
return claimed
