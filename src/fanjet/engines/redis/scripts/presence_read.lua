-- Remove expired entries and return the others (07 9.2).
-- KEYS: infos, their expiry. ARGV: now (Unix seconds), use hash field TTLs ('1' or '').
if ARGV[2] ~= '1' then
  local expired = redis.call('zrangebyscore', KEYS[2], 0, ARGV[1])
  if #expired > 0 then
    for first = 1, #expired, 1000 do
      redis.call('hdel', KEYS[1], unpack(expired, first, math.min(first + 999, #expired)))
    end
    redis.call('zremrangebyscore', KEYS[2], 0, ARGV[1])
  end
end
return redis.call('hgetall', KEYS[1])
