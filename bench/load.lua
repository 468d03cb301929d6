-- SPDX-License-Identifier: Apache-2.0
--
-- The load of bench_http.py for wrk: every request is the click of another one of
-- USERS users, in a shuffled order, so that their state is cold in the cache.
-- All requests are made before the clock starts.

local users = tonumber(os.getenv("USERS"))
local request_of, at = {}, 0

local pattern = "GET /click?item=item-%d&category=cat-%d&dwell=%d HTTP/1.1\r\n"
    .. "Host: 127.0.0.1\r\nCookie: lang=en; uid=%016x\r\n\r\n"

function init()
    math.randomseed(20260101)
    for user = 1, users do
        -- Insertion at a random place shuffles as it grows.
        local place = math.random(user)
        request_of[user] = request_of[place]
        request_of[place] = string.format(pattern, math.random(10000),
            math.random(64), math.random(60), user)
    end
    -- Runs that follow each other start at different users.
    at = os.time() * 7919 % users
end

function request()
    at = at % users + 1
    return request_of[at]
end

function done(summary, latency)
    local e = summary.errors
    print(string.format("WRK %d %d %d %d %d", summary.requests,
        summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50), latency:percentile(99)))
end
