-- Shared by the scripts that count: put before them when they are loaded.
-- keys[i]        (of KEYS[...]) one hash per limit: w = window number, c = calls in it, p = calls in the one before
-- args[2i-1]     (of ARGV[...]) how many calls limit i allows
-- args[2i]       within how many milliseconds
-- count(keys, args) counts one call against all limits, or against none.
-- Returns 0, or the milliseconds until the last refusing limit
-- opens and its number i; refused calls are not counted.
-- Sliding window counter: the window before counts by the share of it that still lies inside the last `per` milliseconds.
-- The server's own clock decides, so that all processes agree.
local function count(keys, args)
  local t = redis.call('TIME')
  local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
  local counts, wait, refusing = {}, 0, 0

  for i = 1, #keys do
    local most, per = tonumber(args[2 * i - 1]), tonumber(args[2 * i])
    local window = math.floor(now / per)
    local passed = now - window * per
    local kept = redis.call('HMGET', keys[i], 'w', 'c', 'p')
    local w, c, p = tonumber(kept[1] or -1), tonumber(kept[2] or 0), tonumber(kept[3] or 0)
    if w == window - 1 then
      p, c = c, 0
    elseif w < window then   -- a clock set back (w > window) keeps the counts
      p, c = 0, 0
    end
    if p * (1 - passed / per) + c > most - 1 then
      local open
      if c <= most - 1 then
        open = per * (1 - (most - 1 - c) / p) - passed              -- later in this window
      else
        open = per - passed + per * (1 - (most - 1) / c)            -- in the next one, where c counts as p
      end
      if open >= wait then
        wait, refusing = open, i
      end
    end
    counts[i] = { window, c + 1, p, per }
  end

  if refusing > 0 then
    return math.ceil(wait), refusing
  end
  for i, n in ipairs(counts) do
    redis.call('HSET', keys[i], 'w', n[1], 'c', n[2], 'p', n[3])
    redis.call('PEXPIRE', keys[i], 2 * n[4])
  end
  return 0, 0
end

