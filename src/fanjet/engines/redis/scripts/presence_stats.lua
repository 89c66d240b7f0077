-- Remove expired entries and return the numbers of clients and users (07 9.2).
-- KEYS: infos, their expiry, connections by user, expiry of users. ARGV: now (Unix seconds), use hash field TTLs
--       ('1' or '').
local function purge(entries, expiry)
  local expired = redis.call('zrangebyscore', expiry, 0, ARGV[1])
  if #expired > 0 then
    for first = 1, #expired, 1000 do
      redis.call('hdel', entries, unpack(expired, first, math.min(first + 999, #expired)))
    end
    redis.call('zremrangebyscore', expiry, 0, ARGV[1])
  end
end
if ARGV[2] ~= '1' then
  purge(KEYS[1], KEYS[2])
  purge(KEYS[3], KEYS[4])
end
return {redis.call('hlen', KEYS[1]), redis.call('hlen', KEYS[3])}
