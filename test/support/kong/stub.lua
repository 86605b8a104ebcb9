-- A stub of what the gateway's scripts use of Kong; see README.md. `run` gives one request to one script.

local function lower_keys(headers)
  local result = {}
  for name, value in pairs(headers or {}) do
    result[name:lower()] = value
  end
  return result
end

-- Headers of an answer, as lua-resty-http has them: found in any case.
local function any_case(headers)
  local found = lower_keys(headers)
  return setmetatable({}, {
    __index = function(_, name)
      return found[name:lower()]
    end,
  })
end

local EXIT = {}

function run(source, request)
  local headers = lower_keys(request.headers)
  local seen = { asked = {}, vars = {} }
  local answers = request.answers or {}

  local var = setmetatable({}, {
    __index = function(_, name)
      local header = name:match("^http_(.*)")
      if header then
        return headers[header:gsub("_", "-")]
      end
      return seen.vars[name] or request.vars[name]
    end,
    __newindex = function(_, name, value)
      seen.vars[name] = value
    end,
  })

  local modules = {
    ["resty.http"] = {
      new = function()
        return {
          set_timeouts = function(_, connect, send, read)
            seen.timeouts = { connect, send, read }
          end,
          request_uri = function(_, uri, options)
            local question = { uri = uri, method = options.method, headers = options.headers, keepalive = options.keepalive }
            question.pool = options.pool
            seen.asked[#seen.asked + 1] = question
            local answer = answers[#seen.asked] or { failure = "connection refused" }
            if answer.failure then
              return nil, answer.failure
            end
            return { status = answer.status, body = answer.body, headers = any_case(answer.headers) }
          end,
        }
      end,
    },
    -- Only whole addresses, where the real one knows networks.
    ["resty.ipmatcher"] = {
      new = function(networks)
        return {
          match = function(_, address)
            for _, network in ipairs(networks) do
              if network == address then
                return true
              end
            end
            return false
          end,
        }
      end,
    },
  }

  local environment = {
    assert = assert,
    error = error,
    ipairs = ipairs,
    type = type,
    table = table,
    math = { random = function() return request.random end },
    require = function(name)
      return assert(modules[name], name .. " is not allowed here")
    end,
    ngx = {
      var = var,
      now = function() return request.now end,
      req = {
        start_time = function() return request.started end,
        get_headers = function() return headers end,
      },
    },
    kong = {
      log = { err = function() end },
      request = {
        get_method = function() return request.method end,
      },
      response = {
        exit = function(status, body, answered)
          seen.exit = { status = status, body = body, headers = answered }
          error(EXIT)
        end,
        set_header = function(name, value)
          seen.answered = { [name] = value }
        end,
      },
      router = {
        get_route = function() return request.route and { name = request.route } end,
      },
      service = {
        set_upstream = function(name)
          if name == "unknown" then
            return nil, "could not find an Upstream named '" .. name .. "'"
          end
          seen.upstream = name
          return true
        end,
        request = {
          set_header = function(name, value) headers[name:lower()] = value end,
          clear_header = function(name) headers[name:lower()] = nil end,
        },
      },
    },
  }

  local ok, problem = pcall(function()
    -- As the plugin pre-function does: a script may return the function that is run from then on.
    local result = assert(load(source, "script", "t", environment))()
    if type(result) == "function" then
      result()
    end
  end)
  if not ok and problem ~= EXIT then
    seen.problem = tostring(problem)
  end
  seen.headers = headers
  return seen
end
