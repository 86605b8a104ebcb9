-- Runs in Kong before it routes. What a client has no right to say is taken away here, since Kong itself reads some of
-- it while it routes. `settings` is put in front by kong-config.ts.
local ipmatcher = require "resty.ipmatcher"

local trusted = #settings.trusted_proxies > 0 and assert(ipmatcher.new(settings.trusted_proxies))

-- As a proxy in front tells them of the client: only those that the stack names are believed.
local TOLD_BY_PROXIES = {
  "X-Forwarded-For",
  "X-Forwarded-Proto",
  "X-Forwarded-Host",
  "X-Forwarded-Port",
  "X-Forwarded-Path",
  "X-Forwarded-Prefix",
  "X-Real-IP",
}

local function redirect_to_https()
  -- Only a GET may be asked again as one.
  local status = kong.request.get_method() == "GET" and 301 or 308
  local port = settings.https_port == 443 and "" or ":" .. settings.https_port
  return kong.response.exit(status, "", { Location = "https://" .. ngx.var.host .. port .. ngx.var.request_uri })
end

local function clear(names)
  for _, name in ipairs(names) do
    kong.service.request.clear_header(name)
  end
end

return function()
  if ngx.var.scheme == "http" then
    return redirect_to_https()
  end
  clear(settings.reserved)
  -- With PROXY protocol nginx has put the address that it tells in the place of the connection's own.
  local peer = settings.proxy_protocol and ngx.var.remote_addr or ngx.var.realip_remote_addr
  if not (trusted and trusted:match(peer)) then
    clear(TOLD_BY_PROXIES)
  end
end
