-- Append a job to a lane, unless the lane is full.
--
-- KEYS  1 lane (stream)
-- ARGV  1 group  2 bound  then field, value, …
-- Returns the job's place among those that wait, from 1; or -1 when the lane is full.

local group = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if type(group) == 'table' and group.err and not string.find(group.err, 'BUSYGROUP') then
  return group
end
local length = redis.call('XLEN', KEYS[1])
if length >= tonumber(ARGV[2]) then return -1 end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 3))
local claimed = redis.call('XPENDING', KEYS[1], ARGV[1])[1]
return length + 1 - claimed
