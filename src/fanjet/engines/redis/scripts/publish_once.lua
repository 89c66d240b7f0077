-- Publish, unless the idempotency key has been used already (07 6.1).
-- KEYS: result. ARGV: message, PUB/SUB channel ('': publish nothing), TTL of the result in seconds.
if redis.call('hmget', KEYS[1], 'e')[1] then
  return 1
end
if ARGV[2] ~= '' then
  redis.call('publish', ARGV[2], ARGV[1])
end
redis.call('hset', KEYS[1], 'e', '')
redis.call('expire', KEYS[1], ARGV[3])
return 0
