# Who may call what. The authorizer asks this about each request; its answer is `allow`, which is false unless a rule
# of the stack's routes says otherwise.
#
# input: {
#   "method": "POST",
#   "path": "/api/function",              as the function will see it: no query
#   "host": "shop.example.com",           in lower case, no port; may be missing
#   "user": {"role": "…", "roles": […]},  of a verified token: either or both; missing where there is none
#   "rate_limit": {"remaining": 17},      requests that the client has left, this one among them
# }
#
# data.serverless.routes: {
#   "exact":  {"/api/function": [{"methods": ["POST"], "roles": ["user"]}]},
#   "prefix": {"/api/orders": [{"methods": ["GET"], "public": true, "host": "shop.example.com"}]},
# }
package serverless

import rego.v1

default allow := false

allow if {
	well_formed

	# Not 0: where both are whole, OPA's Wasm keeps 64 bits of each, and -10000000000000000000 becomes more than nothing.
	input.rate_limit.remaining > 0.0
	some rule in deciding
	input.method in rule.methods
	admits(rule)
}

# Whatever has a wrong type is a mistake of whoever asks, also where no rule looks at it. Rego puts all types in one
# order, in which any text is more than 0.
well_formed if {
	is_string(input.method)
	is_string(input.path)
	is_string(object.get(input, "host", ""))
	is_number(input.rate_limit.remaining)
	user := object.get(input, "user", {})
	is_object(user)
	is_string(object.get(user, "role", ""))
	roles := object.get(user, "roles", [])
	is_array(roles)
	every role in roles { is_string(role) }
}

# The rules of the most specific path alone: one for a wider path would open what they keep closed. Paths are keys, so it
# does not matter how many there are; and they are compared byte by byte, as whoever decodes or tidies one sees another
# path than the function does.
deciding := rules if {
	rules := for_host(data.serverless.routes.exact[input.path])
	count(rules) > 0
} else := for_host(data.serverless.routes.prefix[nearest])

# Of the rules at one path those that name the request's host, where there are any, for the same reason. What is there
# for other hosts alone is not there for this one, as for the gateway.
for_host(rules) := own if {
	own := [rule | some rule in rules; rule.host == input.host]
	count(own) > 0
} else := [rule | some rule in rules; not rule.host]

# The longest prefix that has rules.
nearest := prefixes[count(prefixes) - 1]

# Deeper paths are below no prefix: each segment costs a copy of what is before it, and clients choose how many come.
deepest := 64

# Those of the path's prefixes that have rules, shortest first.
prefixes := [prefix |
	startswith(input.path, "/")
	segments := split(input.path, "/")
	count(segments) <= deepest + 1
	some last, _ in segments
	prefix := up_to(segments, last)
	count(for_host(data.serverless.routes.prefix[prefix])) > 0
]

up_to(segments, last) := concat("/", array.slice(segments, 0, last + 1)) if {
	last > 0
} else := "/"

admits(rule) if rule.public == true

admits(rule) if input.user.role in rule.roles

admits(rule) if {
	some role in input.user.roles
	role in rule.roles
}
