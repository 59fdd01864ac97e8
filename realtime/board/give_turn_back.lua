-- Take a turn down if it is still its owner's.
--
-- KEYS  1 the turn
-- ARGV  1 its owner
-- Returns 1 when it was.

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
