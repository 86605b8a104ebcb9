-- Runs in Kong once it has found the route: asks the authorizer, as Traefik's forwardAuth does. Whatever fails, nothing
-- is let through. `settings` is put in front by kong-config.ts.
local http = require "resty.http"

-- Of what the authorizer answers to a request that it refuses, what the client is told.
local TOLD_TO_CLIENTS = { "WWW-Authenticate", "Retry-After", "Content-Type", "Cache-Control" }

local UNREACHABLE = '{"error":"the authorizer cannot be reached"}'

-- The path as it is sent on to the function: Kong has resolved its dot segments and doubled slashes.
local function forwarded_uri()
  local uri = ngx.var.upstream_uri
  assert(uri and uri ~= "", "there is no path to judge by")
  if ngx.var.is_args == "?" or ngx.var.request_uri:sub(-1) == "?" then
    return uri .. "?" .. (ngx.var.args or "")
  end
  return uri
end

local function first(value)
  return type(value) == "table" and value[1] or value
end

-- What trusted proxies said, of whom anything is left at this point, and at last who is connected.
local function forwarded_for(said)
  local peer = settings.proxy_protocol and ngx.var.remote_addr or ngx.var.realip_remote_addr
  if type(said) == "table" then
    said = table.concat(said, ", ")
  end
  return said and said ~= "" and said .. ", " .. peer or peer
end

local function ask(route, headers)
  local answer, err
  for attempt = 1, 2 do
    local client = http.new()
    client:set_timeouts(settings.connect_timeout, settings.answer_timeout, settings.answer_timeout)
    answer, err = client:request_uri(settings.authorizer .. "/" .. route, {
      method = "GET",
      headers = headers,
      keepalive_timeout = settings.keepalive_timeout,
      keepalive_pool = settings.keepalive_pool,
      -- The other end may have closed a kept connection, as a replica that leaves does: then by one of its own.
      pool = attempt > 1 and "authorizer again" or nil,
      keepalive = attempt == 1,
    })
    if answer or err == "timeout" then
      break
    end
  end
  return answer, err
end

local function text(value)
  return type(value) == "string" and value or nil
end

local function refuse(answer)
  local headers = {}
  for _, name in ipairs(TOLD_TO_CLIENTS) do
    headers[name] = text(answer.headers[name])
  end
  return kong.response.exit(answer.status, answer.body or "", headers)
end

-- A route to several functions: one of them by weight, and of that one some pod. (As targets of one upstream each pod
-- would count with its function's weight, so that the shares went by the number of pods.)
local function choose_function()
  local route = kong.router.get_route()
  local split = route and settings.splits[route.name]
  if not split then
    return
  end
  local point = math.random(split.total)
  for _, share in ipairs(split.shares) do
    if point <= share.up_to then
      return assert(kong.service.set_upstream(share.upstream))
    end
  end
end

return function()
  local request = kong.service.request
  -- Not from nginx's variables, which take X_Forwarded_For for the same; and all, or some could be hidden behind others.
  local headers = ngx.req.get_headers(0)
  local chain = forwarded_for(headers["x-forwarded-for"])
  local proto = first(headers["x-forwarded-proto"]) or ngx.var.scheme
  -- It is told which route it is, so that both judge by the same one.
  local route = assert(kong.router.get_route(), "there is no route to judge by")
  local answer, err = ask(route.name, {
    ["X-Forwarded-Method"] = kong.request.get_method(),
    ["X-Forwarded-Uri"] = forwarded_uri(),
    -- The host that the route was found by, so that both judge by the same one.
    ["X-Forwarded-Host"] = ngx.var.http_host,
    ["X-Forwarded-For"] = chain,
    ["X-Forwarded-Proto"] = proto,
    ["Authorization"] = first(headers["authorization"]),
  })
  if not answer then
    kong.log.err("the authorizer cannot be reached: ", err)
    return kong.response.exit(503, UNREACHABLE, {
      ["Content-Type"] = "application/json",
      ["Cache-Control"] = "no-store",
      ["Retry-After"] = "1",
    })
  end
  if answer.status ~= 200 then
    return refuse(answer)
  end
  for _, name in ipairs(settings.user_headers) do
    local value = text(answer.headers[name])
    if value then
      request.set_header(name, value)
    else
      request.clear_header(name)
    end
  end
  -- A function is told who the user is; the token that proves it would let the function act as that user.
  request.clear_header("Authorization")
  ngx.var.upstream_x_forwarded_for = chain
  ngx.var.upstream_x_forwarded_proto = proto
  choose_function()
end
