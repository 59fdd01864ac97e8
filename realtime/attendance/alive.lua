-- Say that an instance lives, and list those that do.
--
-- KEYS  1 a sorted set: instance by the moment, in seconds, until which it is taken for alive
-- ARGV  1 instance  2 for how many seconds
-- Returns 1 if it was listed already (0: it was forgotten, or never heard of), then all instances.

local now = tonumber(redis.call('TIME')[1])
local listed = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 1)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return { listed, redis.call('ZRANGE', KEYS[1], 0, -1) }
