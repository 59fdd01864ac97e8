-- Forgets a value, and every load of it that is under way. KEYS: value, stamp. ARGV: seconds that the stamp lives, which is
-- longer than any load.
redis.call('DEL', KEYS[1])
redis.call('INCR', KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[1])
