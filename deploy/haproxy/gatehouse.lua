-- HAProxy asks gatehouse about each request: see haproxy.cfg beside this file.
--
-- Sets txn.gatehouse_status (200, 401, 403; unset or another when gatehouse can't be reached or has
-- not answered in time), txn.gatehouse_location (the sign-in page) and txn.gatehouse_challenge; and, when
-- the request may go on, the fields Remote-User, Remote-Groups and Remote-Email. Whatever a client
-- sends under these names, or to name another target or method, is deleted first.

local TIMEOUT_MS = 2000
local IDENTITY = { "remote-user", "remote-groups", "remote-email" }
local ASKED_WITH = { "cookie", "authorization", "origin", "sec-fetch-site", "sec-fetch-mode",
                     "sec-fetch-dest", "user-agent" }
local FORGED_FAMILIES = { "remote-", "x-auth-request-", "x-original-", "x-http-method" }
local FORGED = {
    ["x-forwarded-user"] = true, ["x-forwarded-groups"] = true, ["x-forwarded-email"] = true,
    ["x-forwarded-preferred-username"] = true, ["x-forwarded-access-token"] = true,
    ["x-forwarded-uri"] = true, ["x-forwarded-method"] = true, ["x-rewrite-url"] = true,
    ["x-method-override"] = true,
}

-- Many applications read Remote_User and Remote.User as Remote-User.
local function is_forged(name)
    local plain = name:lower():gsub("[_.]", "-")
    for _, family in ipairs(FORGED_FAMILIES) do
        if plain:sub(1, #family) == family then
            return true
        end
    end
    return FORGED[plain] or false
end

-- The values of all lines of a field; HAProxy counts them from 0.
local function all(values)
    local list = {}
    local at = 0
    while values and values[at] do
        list[#list + 1] = values[at]
        at = at + 1
    end
    return list
end

local function first(headers, name)
    return headers and headers[name] and headers[name][0]
end

local function ask(txn, url, headers)
    local host = first(headers, "host")
    if not host then
        return nil
    end
    local over_tls = txn.f:ssl_fc() -- a number, from HAProxy 3.1 on a boolean
    local scheme = (over_tls == 1 or over_tls == true) and "https" or "http"
    local question = {
        ["host"] = { host },
        ["x-original-method"] = { txn.f:method() },
        ["x-original-url"] = { scheme .. "://" .. host .. txn.f:pathq() },
        ["x-forwarded-for"] = { txn.f:src() },
        ["x-forwarded-proto"] = { scheme },
    }
    for _, name in ipairs(ASKED_WITH) do
        if headers[name] then
            question[name] = all(headers[name])
        end
    end
    return core.httpclient():get({ url = url, headers = question, timeout = TIMEOUT_MS })
end

core.register_action("gatehouse", { "http-req" }, function(txn, url)
    local headers = txn.http:req_get_headers()
    for name in pairs(headers) do
        if is_forged(name) then
            txn.http:req_del_header(name)
        end
    end
    local answer = ask(txn, url, headers)
    if not answer or not answer.status or answer.status == 0 then
        return
    end
    txn:set_var("txn.gatehouse_status", answer.status)
    txn:set_var("txn.gatehouse_location", first(answer.headers, "location") or "")
    txn:set_var("txn.gatehouse_challenge", first(answer.headers, "www-authenticate") or "")
    if answer.status == 200 then
        for _, name in ipairs(IDENTITY) do
            local value = first(answer.headers, name)
            if value then
                txn.http:req_set_header(name, value)
            end
        end
    end
end, 1)
