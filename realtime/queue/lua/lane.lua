-- What all scripts of a lane begin with: one lane, all of whose keys carry its hash tag.
--
-- A job waits in its user's own list; `ring` has the users with something waiting, the next in turn first. Whoever
-- claims admits jobs, one user after the other, into the stream, whose consumer group keeps owner, lease (the idle
-- time of a pending entry) and deliveries. One admitted job may stand at the door, to wake a worker that waits there.
--
-- KEYS  1 stream  2 jobs (hash: id = JSON)  3 ring (list of users)  4 prefix of the users' lists (ids)
--       5 later (sorted set: id by the moment it is due)  6 dead (sorted set: id by the moment it was buried)
--       7 born (string: when the lane began; another one after the engine has lost its data)
-- A job is {u = user, p = payload, n = deliveries before this time, t = when it came, s = state, r = receipt
-- (its entry in the stream), k = its holder's note, e = why it failed last, at = when it became dead}.

local stream, jobs, ring, of, later, dead, born = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local GROUP = 'workers'

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

if redis.call('EXISTS', stream) == 0 then
  redis.call('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
  redis.call('SET', born, clock[1] .. '.' .. clock[2])
end

local function read(id)
  local found = redis.call('HGET', jobs, id)
  return found and cjson.decode(found)
end

local function write(id, job)
  redis.call('HSET', jobs, id, cjson.encode(job))
end

-- To the end of its user's list, or to its beginning.
local function wait(id, job, first)
  job.s, job.r = 'waiting', nil
  write(id, job)
  if redis.call(first and 'LPUSH' or 'RPUSH', of .. job.u, id) == 1 then
    redis.call(first and 'LPUSH' or 'RPUSH', ring, job.u)
  end
end

local function enter(id, job)
  job.s = 'admitted'
  job.r = redis.call('XADD', stream, '*', 'i', id, 'u', job.u, 'p', job.p, 'n', job.n, 'k', job.k or '')
  write(id, job)
end

-- The next in turn goes into the stream; false when nobody waits.
local function admit()
  while true do
    local user = redis.call('LPOP', ring)
    if not user then return false end
    local id = redis.call('LPOP', of .. user)
    if redis.call('LLEN', of .. user) > 0 then redis.call('RPUSH', ring, user) end
    local job = id and read(id)
    if job then
      enter(id, job)
      return true
    end
  end
end

-- How many admitted jobs nobody has claimed.
local function at_the_door()
  return redis.call('XLEN', stream) - redis.call('XPENDING', stream, GROUP)[1]
end

local function wake()
  if at_the_door() == 0 then admit() end
end

-- Who has a job, and how often its present entry was delivered.
local function owner(job)
  if not job.r then return nil, 0 end
  local pending = redis.call('XPENDING', stream, GROUP, job.r, job.r, 1)[1]
  if not pending then return nil, 0 end
  return pending[2], pending[4]
end

-- Take a job from wherever it is, but out of `jobs`.
local function take_out(id, job)
  if job.r then
    redis.call('XACK', stream, GROUP, job.r)
    redis.call('XDEL', stream, job.r)
  elseif job.s == 'waiting' then
    redis.call('LREM', of .. job.u, 1, id)
    if redis.call('LLEN', of .. job.u) == 0 then redis.call('LREM', ring, 1, job.u) end
  end
  redis.call('ZREM', later, id)
  redis.call('ZREM', dead, id)
  job.r = nil
end
