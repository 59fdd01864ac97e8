-- ARGV  1 id  2 user  3 payload
-- Returns 1, or 0 when the lane has a job of this id already: nothing is changed then.

if redis.call('HEXISTS', jobs, ARGV[1]) == 1 then return 0 end
wait(ARGV[1], { u = ARGV[2], p = ARGV[3], n = 0, t = now })
wake()
return 1
