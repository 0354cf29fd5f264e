"""The windows in Redis, as scripts. counters.py calls them and says what they are for."""

from hashlib import sha256

from paynexus.cache import Script
from paynexus.fraud.model import ENTITY_BYTES, EntityKind
from paynexus.fraud.velocity.reference import MINUTE, SECOND
from paynexus.fraud.velocity.windows import (
    BY_KIND,
    HOUR_SECONDS,
    LOGGED,
    MEMBERS_MAX,
    MINUTE_SECONDS,
    MOST,
    Measure,
    apart,
    longest,
)

LATENESS_SECONDS = HOUR_SECONDS
"""A payment that is older when it is observed counts for others; what it sees, Postgres tells."""
RESPITE_SECONDS = 5 * MINUTE_SECONDS
"""Between a rebuild's last step and the next rebuild's first."""
KINDS = tuple(EntityKind)
"""In the order in which an observation's entities are handed over."""
MERCHANT_AT = KINDS.index(EntityKind.MERCHANT) + 1


def _kept_seconds(kind: EntityKind) -> int:
    # The card's log also tells which payments the merchant's minutes hold already: it has to
    # know for as long as anyone can ask for those.
    if kind is EntityKind.CARD:
        return longest(kind, EntityKind.MERCHANT) + LATENESS_SECONDS + MINUTE_SECONDS
    return longest(kind) + LATENESS_SECONDS


def _table(kind: EntityKind) -> str:
    """What Lua knows of a kind of entity: where it stands, what of it is kept, what is asked."""
    windows = ", ".join(f"{{'{one.measure}', {one.seconds * SECOND}}}" for one in BY_KIND[kind])
    told = apart(kind)
    has_sum = any(one.measure is Measure.SUM for one in BY_KIND[kind])
    return (
        f"{{at = {KINDS.index(kind) + 1}, kept = {_kept_seconds(kind) * SECOND},"
        f" apart = {KINDS.index(told) + 1 if told else 0},"
        f" has_sum = {'true' if has_sum else 'false'}, windows = {{{windows}}}}}"
    )


_LOGS = ",\n  ".join(_table(kind) for kind in LOGGED)

# A log's members: the payment's id, and as far as the kind's windows need them, what is told
# apart (NULs: unknown), currency and amount. A merchant's hash of a day: 'n1:<minute>' payments,
# 'EUR1:<minute>' their sum, and the same of ten minutes and of an hour. Amounts may be above 2^53,
# where doubles end: they are kept as digits, and summed in two halves.
_WORDS = f"""
local SECOND, MINUTE, MEMBERS_MAX, MOST = {SECOND}, {MINUTE}, {MEMBERS_MAX}, '{MOST}'
local LATENESS, MERCHANT_AT, CARD_AT = {LATENESS_SECONDS * SECOND}, {MERCHANT_AT}, 1
local WIDTH, WORDS = {ENTITY_BYTES}, {4 + len(KINDS)}
local MERCHANT_KEPT = {_kept_seconds(EntityKind.CARD) * SECOND}
local MERCHANT = {_table(EntityKind.MERCHANT)}
local LENGTHS = {{60, 10, 1}}
local LOGS = {{
  {_LOGS}
}}
"""

_RECORDING = """
local function written(number) return string.format('%.0f', number) end
local function clock(given)
  if given ~= '0' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * SECOND + time[2]
end
-- Which server this is, in its present life, and how much it has evicted.
local function identity()
  local info = redis.call('INFO', 'server', 'stats')
  local life = string.match(info, 'run_id:(%x+)')
  local evicted = string.match(info, 'evicted_keys:(%d+)')
  return life and evicted and life .. ' ' .. evicted or ''
end
-- `ahead`: how far in the future the payment is that was just added, by this clock.
local function expire(key, kept, ahead)
  local ttl = written(math.ceil((kept + math.max(0, ahead)) / 1000))
  if redis.call('PEXPIRE', key, ttl, 'GT') == 0 then redis.call('PEXPIRE', key, ttl, 'NX') end
end
local function member_of(log, base)
  local member = ARGV[base + 1]
  if log.apart > 0 then
    local told = ARGV[base + 3 + log.apart]
    member = member .. (told == '' and string.rep('\\0', WIDTH) or told)
  end
  return log.has_sum and member .. ARGV[base + 3] .. ARGV[base + 2] or member
end
-- Whether the log took the payment as a new one.
local function logged(key, log, base, now, at)
  local member = member_of(log, base)
  if redis.call('ZADD', key, 'NX', written(at), member) == 0 then return false end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', written(now - log.kept))
  expire(key, log.kept, at - now)
  if redis.call('ZCARD', key) <= MEMBERS_MAX then return true end
  return redis.call('ZPOPMIN', key)[1] ~= member
end
local function add(key, field, number)
  local sum = redis.pcall('HINCRBY', key, field, number)
  if type(sum) == 'table' then redis.call('HSET', key, field, MOST) end
end
local function day_key(prefix, merchant, day)
  return prefix .. MERCHANT_AT .. merchant .. written(day)
end
local function add_to_minute(prefix, base, now, at)
  local minute = math.floor(at / MINUTE)
  local key = day_key(prefix, ARGV[base + 3 + MERCHANT_AT], math.floor(minute / 1440))
  local of_day = minute % 1440
  for name, number in pairs({n = 1, [ARGV[base + 3]] = ARGV[base + 2]}) do
    for _, length in ipairs(LENGTHS) do
      add(key, name .. length .. ':' .. math.floor(of_day / length), number)
    end
  end
  expire(key, MERCHANT_KEPT, at - now)
end
-- Arguments from `base` on: time, id, amount, currency, the entities ('': unknown).
local function record(prefix, base, now)
  local at, is_new = tonumber(ARGV[base]), false
  for _, log in ipairs(LOGS) do
    local entity = ARGV[base + 3 + log.at]
    if entity ~= '' and at > now - log.kept then
      local took = logged(prefix .. log.at .. entity, log, base, now, at)
      if log.at == CARD_AT then is_new = took end
    end
  end
  if is_new then add_to_minute(prefix, base, now, at) end
end
"""

_ANSWERING = """
local function total(texts)
  local high, low = 0, 0
  for _, text in ipairs(texts) do
    if text then
      low = low + tonumber(string.sub(text, -9))
      high = high + tonumber('0' .. string.sub(text, 1, -10))
    end
  end
  return string.format('%.0f%09.0f', high + math.floor(low / 1e9), low % 1e9)
end
local function asked_of(log, key, at, currency)
  local members, answers = {}, {}
  for n, window in ipairs(log.windows) do
    local measure, span = window[1], window[2]
    local after = '(' .. written(at - span)
    if measure == 'count' then
      answers[n] = redis.call('ZCOUNT', key, after, written(at))
    else
      members[span] = members[span] or redis.call('ZRANGEBYSCORE', key, after, written(at))
      local amounts, seen, different = {}, {}, 0
      local start = WIDTH + (log.apart > 0 and WIDTH or 0) + 1
      for _, member in ipairs(members[span]) do
        if measure == 'distinct' then
          local told = string.sub(member, WIDTH + 1, 2 * WIDTH)
          if not seen[told] and told ~= string.rep('\\0', WIDTH) then
            seen[told], different = true, different + 1
          end
        elseif string.sub(member, start, start + 2) == currency then
          amounts[#amounts + 1] = string.sub(member, start + 3)
        end
      end
      answers[n] = measure == 'distinct' and different or total(amounts)
    end
  end
  return answers
end
-- The names of a merchant's fields from one minute to another, by day: as few as there can be.
local function covering(name, minute, last)
  local fields = {}
  while minute <= last do
    local day, of_day = math.floor(minute / 1440), minute % 1440
    fields[day] = fields[day] or {}
    for _, length in ipairs(LENGTHS) do
      if of_day % length == 0 and minute + length - 1 <= last then
        table.insert(fields[day], name .. length .. ':' .. of_day / length)
        minute = minute + length
        break
      end
    end
  end
  return fields
end
local function asked_of_merchant(prefix, merchant, at, currency)
  local answers, last = {}, math.floor(at / MINUTE)
  for n, window in ipairs(MERCHANT.windows) do
    local name = window[1] == 'count' and 'n' or currency
    local parts = {}
    for day, fields in pairs(covering(name, last - window[2] / MINUTE, last)) do
      local key = day_key(prefix, merchant, day)
      parts[#parts + 1] = total(redis.call('HMGET', key, unpack(fields)))
    end
    local sum = total(parts)
    answers[n] = window[1] == 'count' and tonumber(sum) or sum
  end
  return answers
end
local function answers_to(prefix, base)
  local at, currency, found = tonumber(ARGV[base]), ARGV[base + 3], {1}
  local function put(windows, answers)
    for n = 1, #windows do found[#found + 1] = answers and answers[n] or false end
  end
  for _, log in ipairs(LOGS) do
    local entity = ARGV[base + 3 + log.at]
    local key = prefix .. log.at .. entity
    put(log.windows, entity ~= '' and asked_of(log, key, at, currency) or nil)
  end
  local merchant = ARGV[base + 3 + MERCHANT_AT]
  put(MERCHANT.windows, asked_of_merchant(prefix, merchant, at, currency))
  return found
end
"""

_LIBRARY = _WORDS + _RECORDING

# KEYS[1] is the state: the generation that counts now, and, once everything since a moment is
# in it, `identity`. The keys of a generation begin with the state's and end with raw bytes.
OBSERVE = Script(
    _LIBRARY
    + _ANSWERING
    + """
local state = redis.call('HMGET', KEYS[1], 'generation', 'identity', 'since')
if not state[1] or (state[2] and state[2] ~= identity()) then return {0} end
local now, prefix = clock(ARGV[1]), KEYS[1] .. state[1]
record(prefix, 2, now)
local at = tonumber(ARGV[2])
if not state[2] or at < now - LATENESS or at < tonumber(state[3]) then return {0} end
return answers_to(prefix, 2)
"""
)
"""Key: the state. Arguments: the time (0: the server's), one observation.

Answer: 1 and each window's answer in the order of `ANSWERED`; or 0, where Redis can't tell.
"""

BEGIN = Script(
    _LIBRARY
    + f"""
local now = clock(ARGV[1])
local touched = redis.call('HGET', KEYS[1], 'touched')
if touched and math.abs(now - touched) < {RESPITE_SECONDS * SECOND} then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'touched', written(now), 'began', identity())
return 1
"""
)
"""Key: the state. Arguments: the time, a generation that was never before.

Answer: 1, and it counts from now on, though not everything is in it; or 0: another was just begun
or completed.
"""

FEED = Script(
    _LIBRARY
    + """
local generation = redis.call('HGET', KEYS[1], 'generation')
if not generation or (ARGV[2] ~= '' and generation ~= ARGV[2]) then return 0 end
local now = clock(ARGV[1])
for base = 3, #ARGV, WORDS do record(KEYS[1] .. generation, base, now) end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'touched', written(now)) end
return 1
"""
)
"""Key: the state. Arguments: the time, the generation ('': whichever there is), observations.

Answer: 1, and they count; or 0: that generation is no more.
"""

FINISH = Script(
    _LIBRARY
    + """
local state = redis.call('HMGET', KEYS[1], 'generation', 'began')
if state[1] ~= ARGV[2] or state[2] == '' or state[2] ~= identity() then return 0 end
redis.call('HSET', KEYS[1], 'identity', state[2], 'since', ARGV[3],
  'touched', written(clock(ARGV[1])))
return 1
"""
)
"""Key: the state. Arguments: the time, the generation, since when payments can be answered.

Answer: 1, and Redis answers; or 0: something was lost since the rebuild began.
"""

IS_COMPLETE = Script(
    _LIBRARY
    + """
local found = redis.call('HGET', KEYS[1], 'identity')
return found and found == identity() and 1 or 0
"""
)
"""Key: the state. Answer: 1 if Redis answers."""

SWEEP = Script("""
local generation = redis.call('HGET', KEYS[1], 'generation')
if not generation then return '0' end
local found = redis.call('SCAN', ARGV[1], 'MATCH', KEYS[1] .. '*', 'COUNT', 500)
local kept = KEYS[1] .. generation
for _, key in ipairs(found[2]) do
  if key ~= KEYS[1] and string.sub(key, 1, #kept) ~= kept then redis.call('UNLINK', key) end
end
return found[1]
""")
"""Key: the state. Argument: a cursor. Answer: the next cursor.

Generations that no longer count are gone once the cursor is 0 again.
"""

LAYOUT = sha256((OBSERVE.source + FEED.source).encode()).hexdigest()[:8]
"""Versions of the product that keep windows differently keep them apart."""
