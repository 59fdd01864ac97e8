-- KEYS  1 lease (string: its holder)
-- ARGV  1 holder  2 milliseconds, or 0 to let go
-- Returns 1 when the holder has it (or had it, and let go), otherwise 0.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
