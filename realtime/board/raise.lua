-- Put a fact up unless a greater one is up; whichever it is stays up for the new time.
--
-- KEYS  1 the fact
-- ARGV  1 what it says  2 milliseconds
-- Returns 1 when it was put up.

local up = redis.call('GET', KEYS[1])
if up and up > ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
