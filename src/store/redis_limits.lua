-- Shared rate limits: decides and charges all limits of one question, with the server's own clock.
-- The answers are those of src/limit (log.c, subwindow.c, gcra.c), which say how each is counted.
--
-- KEYS[1] is the secret that names of keys are hashed with, KEYS[2] and on one key for each limit.
-- ARGV[1] is the caller's secret; ARGV[2] how many limits, the first ones, are looked at whole and
-- then charged; those behind them are charged each for itself, once the first ones admit. Then four
-- numbers for each limit:
--     log          1  count  window (ms)     0
--     sub-windows  2  count  sub-window (ms) unit of a closed one
--     GCRA         3  burst  interval: ms    and ns
-- The answer: another secret, under which the caller has to ask again; or four numbers for each
-- limit that was looked at: admitted (0 or 1), remaining, retry after (ms), reset (ms).
--
-- Numbers are doubles, exact up to 2^53: instants are milliseconds, and what needs nanoseconds is a
-- pair of milliseconds and nanoseconds below a million. A value is written together with its expiry
-- by one SET, which replaces whatever else lay there; what can't be read is no value. Where the
-- clock was set back, what lies too far ahead is moved back with it.

local SECRET_BYTES, SECRET_MS = 16, 40 * 24 * 3600 * 1000
local NS = 1000000
local CELLS = 12
local LOG_MAX = 16
local LOG, SUB, GCRA = 1, 2, 3

-- Whoever asks brings it back after it was lost. A question without limits finds out whether what
-- the others write could be written.
local secret = redis.pcall('GET', KEYS[1])
if secret ~= ARGV[1] and type(secret) == 'string' and #secret == SECRET_BYTES then
    return secret
end
if secret ~= ARGV[1] or #KEYS == 1 then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', SECRET_MS)
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- A call makes its functions anew, so those of a form are made when it is asked for.

-- ---- A log of when each admitted one leaves the window, first to last ----

local function new_log()
    local log = {}

    function log.read(limit, bytes)
        local count = (#bytes - 1) / 6
        if count < 1 or count > LOG_MAX or count ~= math.floor(count) then
            return {}
        end
        local all = {struct.unpack('>' .. string.rep('I6', count), bytes, 2)}
        local ahead = all[count] - now - limit.b
        local log_state = {repaired = ahead > 0}
        for i = 1, count do
            local leaves = ahead > 0 and all[i] - ahead or all[i]
            if leaves > now then
                log_state[#log_state + 1] = leaves
            end
        end
        return log_state
    end

    function log.judge(limit, state, taken, charging)
        local live, window = #state, limit.b
        local used = live + taken
        if used >= limit.a then
            local leaving = used + 1 - limit.a
            local wait = leaving <= live and state[leaving] - now or window
            return false, 0, wait, wait
        end
        if charging then
            used = used + 1
        end
        local reset = live > 0 and state[1] - now or used > 0 and window or 0
        return true, limit.a - used, 0, reset
    end

    function log.charge(limit, state)
        state[#state + 1] = now + limit.b
    end

    function log.write(limit, state)
        local last = #state
        return '1' .. struct.pack('>' .. string.rep('I6', last), unpack(state)), state[last] - now
    end

    return log
end

-- ---- Sub-windows: the current one and twelve closed ones, newest first ----

local function new_sub()
    local sub = {}

    function sub.read(limit, bytes)
        local step, unit = limit.b, limit.c
        local number = math.floor(now / step)
        local state = {number = number, current = 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
        if #bytes ~= 1 + 6 + 4 + CELLS then
            return state
        end
        local written, current = struct.unpack('>I6I4', bytes, 2)
        local turns = number - written
        if turns <= 0 then
            state.repaired = turns < 0
            state.current, turns = current, 0
        elseif turns <= CELLS then
            state[turns] = math.ceil(current / unit)
        end
        for i = 1, CELLS - turns do
            state[turns + i] = string.byte(bytes, 11 + i)
        end
        return state
    end

    local function older_sum(limit, state)
        local sum = 0
        for i = 1, CELLS do
            sum = sum + state[i]
        end
        return sum * limit.c
    end

    -- Until `excess` admitted ones have left, oldest sub-window first.
    local function sub_wait(limit, state, excess)
        local left = 0
        for i = CELLS, 1, -1 do
            left = left + state[i] * limit.c
            if left >= excess and state[i] > 0 then
                return (state.number + 1 - i + CELLS) * limit.b - now
            end
        end
        return (state.number + 1 + CELLS) * limit.b - now
    end

    function sub.judge(limit, state, taken, charging)
        local older, current = older_sum(limit, state), state.current + taken
        if older + current >= limit.a then
            local closed = math.ceil(current / limit.c) * limit.c
            local wait = sub_wait(limit, state, older + closed + 1 - limit.a)
            return false, 0, wait, wait
        end
        local used = older + current + (charging and 1 or 0)
        return true, limit.a - used, 0, used > 0 and sub_wait(limit, state, 1) or 0
    end

    function sub.charge(limit, state)
        state.current = state.current + 1
    end

    function sub.write(limit, state)
        local bytes = '2' .. struct.pack('>I6I4', state.number, state.current)
            .. string.char(unpack(state, 1, CELLS))
        return bytes, (state.number + 1 + CELLS) * limit.b - now
    end

    return sub
end

-- ---- GCRA: the theoretical arrival time, as a pair ----

local function new_gcra()
    -- Pairs of milliseconds and nanoseconds.
    local function plus(am, an, bm, bn)
        local n = an + bn
        if n >= NS then
            return am + bm + 1, n - NS
        end
        return am + bm, n
    end

    local function minus(am, an, bm, bn)
        local n = an - bn
        if n < 0 then
            return am - bm - 1, n + NS
        end
        return am - bm, n
    end

    local function times(m, n, count)
        local carry = math.floor(n * count / NS)
        return m * count + carry, n * count - carry * NS
    end

    local function is_less(am, an, bm, bn)
        return am < bm or (am == bm and an < bn)
    end

    local function rounded_up(m, n)
        return n > 0 and m + 1 or m
    end

    local gcra = {}

    function gcra.read(limit, bytes)
        if #bytes ~= 1 + 6 + 3 then
            return {m = now, n = 0}
        end
        local m, n = struct.unpack('>I6I3', bytes, 2)
        if m < now then
            return {m = now, n = 0}
        end
        local capacity_m, capacity_n = times(limit.b, limit.c, limit.a)
        if is_less(now + capacity_m, capacity_n, m, n) then
            return {m = now + capacity_m, n = capacity_n, repaired = true}
        end
        return {m = m, n = n}
    end

    -- How often an interval fits: an estimate, put right.
    local function intervals(limit, m, n)
        local count = math.floor((m * NS + n) / (limit.b * NS + limit.c))
        while count > 0 and is_less(m, n, times(limit.b, limit.c, count)) do
            count = count - 1
        end
        local next_m, next_n = times(limit.b, limit.c, count + 1)
        return is_less(m, n, next_m, next_n) and count or count + 1
    end

    function gcra.judge(limit, state, taken, charging)
        local capacity_m, capacity_n = times(limit.b, limit.c, limit.a)
        local most_m, most_n = minus(capacity_m, capacity_n, limit.b, limit.c)
        local taken_m, taken_n = times(limit.b, limit.c, taken)
        local m, n = plus(state.m - now, state.n, taken_m, taken_n)
        local allowed, retry = not is_less(most_m, most_n, m, n), 0
        if not allowed then
            retry = rounded_up(minus(m, n, most_m, most_n))
        elseif charging then
            m, n = plus(m, n, limit.b, limit.c)
        end
        local remaining = 0
        if is_less(m, n, capacity_m, capacity_n) then
            remaining = intervals(limit, minus(capacity_m, capacity_n, m, n))
        end
        local reset = 0
        if m > 0 or n > 0 then
            local more_m, more_n = times(limit.b, limit.c, remaining + 1)
            more_m, more_n = plus(m, n, more_m, more_n)
            reset = rounded_up(minus(more_m, more_n, capacity_m, capacity_n))
        end
        return allowed, remaining, retry, reset
    end

    function gcra.charge(limit, state)
        state.m, state.n = plus(state.m, state.n, limit.b, limit.c)
    end

    function gcra.write(limit, state)
        return '3' .. struct.pack('>I6I3', state.m, state.n), rounded_up(state.m - now, state.n)
    end

    return gcra
end

-- ---- All of them ----

local NEW = {[LOG] = new_log, [SUB] = new_sub, [GCRA] = new_gcra}

local forms, limits, states, reply = {}, {}, {}, {}
for i = 1, #KEYS - 1 do
    local at, key = 4 * i - 1, KEYS[i + 1]
    local form = tonumber(ARGV[at])
    forms[form] = forms[form] or NEW[form]()
    local limit = {
        key = key,
        form = forms[form],
        a = tonumber(ARGV[at + 1]),
        b = tonumber(ARGV[at + 2]),
        c = tonumber(ARGV[at + 3]),
    }
    limits[i] = limit
    if not states[key] then
        local bytes = redis.pcall('GET', key)
        if type(bytes) ~= 'string' or string.byte(bytes, 1) ~= 48 + form then
            bytes = ''
        end
        states[key] = limit.form.read(limit, bytes)
    end
end

-- Charges of the same key count one after the other.
local function judge(first, last, charging)
    local all, taken = true, {}
    for i = first, last do
        local limit = limits[i]
        local key = limit.key
        local allowed, remaining, retry, reset =
            limit.form.judge(limit, states[key], taken[key] or 0, charging)
        taken[key] = (taken[key] or 0) + 1
        all = all and allowed
        local at = 4 * i
        reply[at - 3], reply[at - 2], reply[at - 1], reply[at] =
            allowed and 1 or 0, remaining, retry, reset
    end
    return all
end

local function decide(first, last)
    if not judge(first, last, true) then
        judge(first, last, false) -- what is left without the charge
        return false
    end
    for i = first, last do
        local limit = limits[i]
        limit.form.charge(limit, states[limit.key])
        states[limit.key].charged = true
    end
    return true
end

local together = tonumber(ARGV[2])
if decide(1, together) then
    for i = together + 1, #limits do
        decide(i, i)
    end
end

for i = 1, #limits do
    local limit = limits[i]
    local state = states[limit.key]
    if state.charged or state.repaired then
        local bytes, expiry = limit.form.write(limit, state)
        redis.call('SET', limit.key, bytes, 'PX', expiry)
        state.charged, state.repaired = false, false
    end
end

return reply
