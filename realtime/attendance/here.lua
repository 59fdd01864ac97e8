-- Say who of one topic is at one instance, tell those who follow the topic, and read who is where.
--
-- KEYS  1 a hash: instance = its users, a JSON array
-- ARGV  1 instance  2 its users ('' for none)  3 seconds to live  4 channel  5 PUBLISH or SPUBLISH  6 the notice
-- Returns {instance, users, …}.

if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[3])
end
redis.call(ARGV[5], ARGV[4], ARGV[6])
return redis.call('HGETALL', KEYS[1])
