-- Append to a stream and publish (07 6.2).
-- KEYS: stream, meta; result, if there is an idempotency key.
-- ARGV: publication, PUB/SUB channel ('': publish nothing), history size, history TTL, meta TTL (0: no expiry),
--       epoch of a new stream;
--       optional, all or none: delta requested ('1' or ''), version (0: none), version epoch, result TTL.
-- Returns offset, epoch, and the reason of a suppressed publish: '', 'idempotency', 'version'.
local result = KEYS[3]
if result then
  local earlier = redis.call('hmget', result, 'e', 's')
  if earlier[1] then
    return {earlier[2] or 0, earlier[1], 'idempotency'}
  end
end

local stream, meta = KEYS[1], KEYS[2]
local epoch = redis.call('hget', meta, 'e')
if not epoch then
  epoch = ARGV[6]
  redis.call('hset', meta, 'e', epoch)
end

if ARGV[8] and ARGV[8] ~= '0' then
  local last = redis.call('hmget', meta, 'v', 've', 's')
  if last[1] and (ARGV[9] == '' or ARGV[9] == last[2]) and tonumber(ARGV[8]) <= tonumber(last[1]) then
    return {last[3] or 0, epoch, 'version'}
  end
  redis.call('hset', meta, 'v', ARGV[8], 've', ARGV[9])
end

local offset = redis.call('hincrby', meta, 's', 1)
if ARGV[5] ~= '0' then
  redis.call('expire', meta, ARGV[5])
end

local message
if ARGV[7] == '1' then
  local previous = ''
  if offset ~= 1 then
    local newest = redis.call('xrevrange', stream, '+', '-', 'COUNT', 1)[1]
    previous = newest and newest[2][2] or ''
  end
  message = '__d1:' .. offset .. ':' .. epoch .. ':' .. #previous .. ':' .. previous .. ':' .. #ARGV[1] .. ':' .. ARGV[1]
else
  message = '__p1:' .. offset .. ':' .. epoch .. '__' .. ARGV[1]
end

if offset == 1 then
  redis.call('del', stream) -- the meta key may have been evicted alone
end
redis.call('xadd', stream, 'MAXLEN', ARGV[3], offset, 'd', ARGV[1])
redis.call('expire', stream, ARGV[4])
if ARGV[2] ~= '' then
  redis.call('publish', ARGV[2], message)
end

if result then
  redis.call('hset', result, 'e', epoch, 's', offset)
  redis.call('expire', result, ARGV[10])
end
return {offset, epoch, ''}
