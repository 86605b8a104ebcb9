package serverless_test

import data.serverless
import rego.v1

# What the default data lets through, with nothing in it that may be missing.
request := {
	"method": "POST",
	"path": "/api/function",
	"user": {"role": "user"},
	"rate_limit": {"remaining": 17},
}

guest := without("user")

admin := with_part("user", {"role": "admin"})

without(part) := object.remove(request, {part})

# The part as a whole: `object.union` would mix two users.
with_part(part, value) := object.union(without(part), {part: value})

to(path) := with_part("path", path)

from(user) := with_part("user", user)

users := {"methods": ["POST"], "roles": ["user"]}

admins := {"methods": ["POST"], "roles": ["admin"]}

everybody := {"methods": ["POST"], "public": true}

at(host, rule) := object.union(rule, {"host": host})

exact(rules) := {"exact": {"/api/function": rules}}

allowed(asked, routes) if serverless.allow with input as asked with data.serverless.routes as routes

test_default_data_lets_users_post if serverless.allow with input as request

test_default_data_lets_in_nothing_else if {
	not serverless.allow with input as guest
	not serverless.allow with input as admin
	not serverless.allow with input as with_part("method", "GET")
	not serverless.allow with input as to("/")
}

test_the_answer_is_a_boolean if {
	serverless.allow == true with input as request
	serverless.allow == false with input as guest
}

test_nobody_is_let_in_without_data if {
	every routes in [{}, {"exact": {}}, {"prefix": {}}, {"exact": {}, "prefix": {}}] {
		not allowed(request, routes)
	}
}

test_what_is_no_request_is_denied if {
	every nothing in [null, true, 5, "POST", [], [request], {}] {
		not serverless.allow with input as nothing
		not allowed(nothing, exact([everybody]))
	}
}

test_a_request_that_lacks_a_part_is_denied if {
	every part in ["method", "path", "user", "rate_limit"] {
		not serverless.allow with input as without(part)
	}
	not serverless.allow with input as with_part("rate_limit", {})
}

test_a_part_of_a_wrong_type_is_denied if {
	every part in ["method", "path", "host"] {
		every wrong in [null, true, 5, ["POST"], {"POST": "POST"}] {
			not serverless.allow with input as with_part(part, wrong)
			not allowed(with_part(part, wrong), exact([everybody]))
		}
	}
	every wrong in [null, true, 17, "17", [17]] {
		not serverless.allow with input as with_part("rate_limit", wrong)
	}
}

# Methods.

test_methods_are_compared_as_they_are if {
	every method in ["post", "Post", "POST ", "", "*", "HEAD"] {
		not serverless.allow with input as with_part("method", method)
	}
}

test_any_of_a_rules_methods_will_do if {
	routes := exact([{"methods": ["GET", "POST"], "roles": ["user"]}])
	allowed(request, routes)
	allowed(with_part("method", "GET"), routes)
	not allowed(with_part("method", "PUT"), routes)
}

test_each_rule_of_a_path_has_methods_of_its_own if {
	routes := exact([users, {"methods": ["DELETE"], "roles": ["admin"]}])
	deletion := with_part("method", "DELETE")
	allowed(request, routes)
	not allowed(deletion, routes)
	not allowed(admin, routes)
	allowed(object.union(deletion, {"user": {"role": "admin"}}), routes)
}

test_a_rule_without_methods_lets_nothing_in if not allowed(request, exact([{"roles": ["user"]}, {"public": true}]))

# Users.

test_the_role_or_one_of_the_roles_will_do if {
	every user in [
		{"role": "user"},
		{"roles": ["user"]},
		{"roles": ["buyer", "user"]},
		{"role": "buyer", "roles": ["user"]},
		{"role": "user", "roles": []},
		{"role": "user", "roles": ["user"]},
	] {
		serverless.allow with input as from(user)
	}
}

test_any_of_a_rules_roles_will_do if {
	routes := exact([{"methods": ["POST"], "roles": ["admin", "user"]}])
	allowed(request, routes)
	allowed(admin, routes)
	not allowed(from({"role": "buyer"}), routes)
}

test_other_roles_will_not_do if {
	every user in [
		{},
		{"role": ""},
		{"role": "User"},
		{"role": "user "},
		{"role": "user,admin"},
		{"roles": []},
		{"roles": ["users"]},
		{"role": "buyer", "roles": ["seller"]},
		{"name": "user"},
	] {
		not serverless.allow with input as from(user)
	}
}

test_a_user_of_a_wrong_type_is_denied_everything if {
	every user in [
		null,
		"user",
		["user"],
		5,
		{"role": null},
		{"role": ["user"]},
		{"roles": "user"},
		{"roles": null},
		{"roles": {"user": "user"}},
		{"roles": ["user", 5]},
		{"roles": [["user"]]},
		{"role": "user", "roles": "user"},
		{"role": 5, "roles": ["user"]},
	] {
		not serverless.allow with input as from(user)
		not allowed(from(user), exact([everybody]))
	}
}

test_a_public_rule_needs_no_user if {
	routes := exact([everybody])
	allowed(guest, routes)
	allowed(from({}), routes)
	allowed(request, routes)
	not allowed(object.union(guest, {"method": "GET"}), routes)
}

test_only_true_is_public if {
	every value in [false, null, "true", 1, {}] {
		not allowed(request, exact([{"methods": ["POST"], "public": value}]))
	}
}

test_a_rule_without_roles_lets_nobody_in if {
	every rule in [{"methods": ["POST"]}, {"methods": ["POST"], "roles": []}] {
		not allowed(request, exact([rule]))
	}
}

# Budgets.

test_a_budget_that_is_not_used_up_will_do if {
	every remaining in [0.5, 1, 17, 1000000000000] {
		serverless.allow with input as with_part("rate_limit", {"remaining": remaining})
	}
}

test_a_budget_that_is_used_up_or_none_closes_public_rules_too if {
	every remaining in [0, -1, -0.5, null, true, "17", [17], {"left": 17}] {
		spent := with_part("rate_limit", {"remaining": remaining})
		not serverless.allow with input as spent
		not allowed(spent, exact([everybody]))
	}
	not allowed(without("rate_limit"), exact([everybody]))
}

# Paths.

test_paths_are_compared_byte_by_byte if {
	every path in [
		"",
		"/",
		"/api",
		"/api/function/",
		"/api/functions",
		"/api/functio",
		"/API/function",
		"/api//function",
		"//api/function",
		"/api/./function",
		"/x/../api/function",
		"/api%2ffunction",
		"/api/%66unction",
		"/api/function?",
		"/api/function#",
		"/api/function\n",
		"api/function",
	] {
		not serverless.allow with input as to(path)
	}
}

test_a_prefix_is_a_path_and_all_below_it if {
	routes := {"prefix": {"/api/orders": [users]}}
	every path in ["/api/orders", "/api/orders/", "/api/orders/7", "/api/orders/7/lines/1", "/api/orders//"] {
		allowed(to(path), routes)
	}
	every path in ["/", "/api", "/api/", "/api/ordersx", "/api/order", "/x/api/orders", "/api//orders", "api/orders"] {
		not allowed(to(path), routes)
	}
}

test_the_root_as_a_prefix_is_every_path if {
	routes := {"prefix": {"/": [users]}}
	every path in ["/", "//", "/a", "/a/", "/a/b", "/%2e"] {
		allowed(to(path), routes)
	}
	every path in ["", "*", "a", "http://shop.example.com/"] {
		not allowed(to(path), routes)
	}
}

test_the_longest_prefix_decides_alone if {
	routes := {"prefix": {"/": [everybody], "/api": [users], "/api/admin": [admins]}}
	allowed(object.union(guest, {"path": "/x"}), routes)
	not allowed(guest, routes)
	allowed(request, routes)
	every path in ["/api/admin", "/api/admin/", "/api/admin/users"] {
		not allowed(to(path), routes)
		allowed(object.union(admin, {"path": path}), routes)
	}
}

test_an_exact_path_decides_before_any_prefix if {
	routes := {"exact": {"/api/function": [admins]}, "prefix": {"/": [everybody], "/api/function": [users]}}
	not allowed(request, routes)
	allowed(admin, routes)
	allowed(to("/api/function/"), routes)
}

test_the_most_specific_path_decides_also_for_methods_that_its_rules_do_not_name if {
	open := [{"methods": ["DELETE"], "public": true}]
	every routes in [
		{"exact": {"/api/function": [users]}, "prefix": {"/": open}},
		{"prefix": {"/api": [users], "/": open}},
	] {
		not allowed(with_part("method", "DELETE"), routes)
	}
}

test_what_is_there_for_other_hosts_alone_is_not_there if {
	elsewhere := [at("example.com", admins)]
	every routes in [
		{"exact": {"/api/function": elsewhere}, "prefix": {"/": [users]}},
		{"prefix": {"/api": elsewhere, "/": [users]}},
		{"exact": {"/api/function": []}, "prefix": {"/": [users]}},
	] {
		allowed(with_part("host", "shop.example.com"), routes)
		not allowed(object.union(guest, {"host": "shop.example.com"}), routes)
	}
	every routes in [
		{"exact": {"/api/function": elsewhere}, "prefix": {"/": [users]}},
		{"prefix": {"/api": elsewhere, "/": [users]}},
	] {
		not allowed(with_part("host", "example.com"), routes)
	}
}

test_a_prefix_reaches_64_segments_deep if {
	routes := {"prefix": {"/": [users]}, "exact": {deep(66): [users]}}
	allowed(to(deep(64)), routes)
	not allowed(to(deep(65)), routes)
	allowed(to(deep(66)), routes)
}

deep(segments) := concat("", ["/s" | some _ in numbers.range(1, segments)])

# Hosts.

test_a_rule_with_a_host_is_for_that_host if {
	routes := exact([at("shop.example.com", users)])
	allowed(with_part("host", "shop.example.com"), routes)
	not allowed(request, routes)
	every host in ["", "example.com", "SHOP.example.com", "shop.example.com.", "shop.example.com:443"] {
		not allowed(with_part("host", host), routes)
	}
}

test_a_rule_without_a_host_is_for_any if {
	every host in ["", "shop.example.com", "192.0.2.1"] {
		serverless.allow with input as with_part("host", host)
	}
}

test_the_rules_for_a_host_decide_alone_there if {
	routes := exact([everybody, at("shop.example.com", admins)])
	allowed(guest, routes)
	allowed(object.union(guest, {"host": "example.com"}), routes)
	not allowed(with_part("host", "shop.example.com"), routes)
	allowed(object.union(admin, {"host": "shop.example.com"}), routes)
}

test_all_rules_for_a_host_count if {
	routes := {"prefix": {"/api": [at("shop.example.com", admins), at("shop.example.com", users)]}}
	allowed(with_part("host", "shop.example.com"), routes)
	allowed(object.union(admin, {"host": "shop.example.com"}), routes)
}
