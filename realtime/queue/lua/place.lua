-- ARGV  1 user  2 bound
-- Returns the place that a job of this user would have, from 1, or -1 when the lane is full.

if redis.call('HLEN', jobs) - redis.call('ZCARD', dead) >= tonumber(ARGV[2]) then return -1 end
local mine = redis.call('LLEN', of .. ARGV[1])
local users = redis.call('LRANGE', ring, 0, 511)
local before, passed = at_the_door() + mine, false
for _, user in ipairs(users) do
  if user == ARGV[1] then
    passed = true
  else
    -- Until our turn comes, others have had as many as we have waiting, and one more where they stand before us.
    local turns = passed and mine or mine + 1
    before = before + math.min(redis.call('LLEN', of .. user), turns)
  end
end
return before + 1
