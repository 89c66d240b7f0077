-- Append to a list and publish (07 10). Versions are ignored.
-- KEYS: list, meta; result, if there is an idempotency key.
-- ARGV: publication, PUB/SUB channel ('': publish nothing), history size less 1 (the index of the last one kept: computed
--       by the caller, because Lua may not format the number as an integer), history TTL, meta TTL (0: no expiry), epoch of a new stream;
--       optional, all or none: delta requested ('1' or ''), version, version epoch, result TTL.
-- Returns offset, epoch, and the reason of a suppressed publish: '' or 'idempotency'.
local result = KEYS[3]
if result then
  local earlier = redis.call('hmget', result, 'e', 's')
  if earlier[1] then
    return {earlier[2] or 0, earlier[1], 'idempotency'}
  end
end

local list, meta = KEYS[1], KEYS[2]
local epoch = redis.call('hget', meta, 'e')
if not epoch then
  epoch = ARGV[6]
  redis.call('hset', meta, 'e', epoch)
end
local offset = redis.call('hincrby', meta, 's', 1)
if ARGV[5] ~= '0' then
  redis.call('expire', meta, ARGV[5])
end

local message = '__p1:' .. offset .. ':' .. epoch .. '__' .. ARGV[1]
local previous = ARGV[7] == '1' and redis.call('lindex', list, 0) or ''
redis.call('lpush', list, message)
redis.call('ltrim', list, 0, ARGV[3])
redis.call('expire', list, ARGV[4])

if ARGV[7] == '1' then
  previous = string.gsub(previous, '^__p1:%d+:%a*__', '') -- receivers expect a publication, without its position
  message = '__d1:' .. offset .. ':' .. epoch .. ':' .. #previous .. ':' .. previous .. ':' .. #ARGV[1] .. ':' .. ARGV[1]
end
if ARGV[2] ~= '' then
  redis.call('publish', ARGV[2], message)
end

if result then
  redis.call('hset', result, 'e', epoch, 's', offset)
  redis.call('expire', result, ARGV[10])
end
return {offset, epoch, ''}
