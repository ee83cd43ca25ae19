-- HAProxy asks gatehouse about each request:
--
--   global
--     lua-prepend-path /etc/haproxy/?.lua
--     lua-load-per-thread /etc/haproxy/gatehouse.lua
--   frontend ...
--     http-request lua.gatehouse http://127.0.0.1:9000/api/v1/authz/auth-request
--     http-request deny deny_status 503 unless { var(txn.gatehouse_status) -m found }
--
-- Sets txn.gatehouse_status (200, 401, 403, ...; unset when gatehouse can't be reached) and, when
-- the request may go on, the headers Remote-User, Remote-Groups and Remote-Email. Whatever a client
-- sends under these names is deleted first.

local IDENTITY = { "remote-user", "remote-groups", "remote-email" }
local TIMEOUT_MS = 2000

local function first(headers, name)
    return headers and headers[name] and headers[name][0]
end

local function ask(txn, url)
    local headers = txn.http:req_get_headers()
    local host = first(headers, "host")
    if not host then
        return nil
    end
    local scheme = txn.f:ssl_fc() == 1 and "https" or "http"
    local question = {
        ["host"] = { host },
        ["x-original-method"] = { txn.f:method() },
        ["x-original-url"] = { scheme .. "://" .. host .. txn.f:pathq() },
        ["x-forwarded-for"] = { txn.f:src() },
        ["x-forwarded-proto"] = { scheme },
    }
    for _, name in ipairs({ "cookie", "authorization", "origin", "sec-fetch-site",
                            "sec-fetch-mode", "sec-fetch-dest" }) do
        local value = first(headers, name)
        if value then
            question[name] = { value }
        end
    end
    return core.httpclient():get({ url = url, headers = question, timeout = TIMEOUT_MS })
end

core.register_action("gatehouse", { "http-req" }, function(txn, url)
    for _, name in ipairs(IDENTITY) do
        txn.http:req_del_header(name)
    end
    local answer = ask(txn, url)
    if not answer or not answer.status or answer.status == 0 then
        return
    end
    txn:set_var("txn.gatehouse_status", answer.status)
    local location = first(answer.headers, "location")
    if location then
        txn:set_var("txn.gatehouse_location", location)
    end
    if answer.status == 200 then
        for _, name in ipairs(IDENTITY) do
            local value = first(answer.headers, name)
            if value then
                txn.http:req_set_header(name, value)
            end
        end
    end
end, 1)
