package admission.allowed_registries_test

import data.admission.allowed_registries
import data.samples
import future.keywords

parameters := {
	"tenants": ["shop"],
	"tenantRegistries": ["registry.example.com/"],
	"platformRegistries": ["docker.io/library/traefik", "localhost:5000/", "openpolicyagent/gatekeeper"],
}

allowed(namespace, image) if {
	pod := samples.pod(namespace, "p", {"containers": [{"name": "c", "image": image}]})
	count(allowed_registries.violation) == 0 with input as samples.asked(pod, parameters)
}

test_below_a_folder if {
	allowed("shop", "registry.example.com/checkout:1")
	allowed("shop", "registry.example.com/team/checkout@sha256:5f70")
	not allowed("shop", "registry.example.com.evil.example/checkout:1")
	not allowed("shop", "traefik:v3")
}

test_of_a_repository if {
	allowed("gateway", "docker.io/library/traefik:v3")
	allowed("gateway", "docker.io/library/traefik@sha256:5f70")
	allowed("gateway", "docker.io/library/traefik")
	allowed("gateway", "openpolicyagent/gatekeeper:v3.15.1")
	not allowed("gateway", "docker.io/library/traefik-evil:v3")
	not allowed("gateway", "docker.io/library/traefik/evil:v3")
}

test_names_mean_what_containerd_makes_of_them if {
	allowed("gateway", "traefik:v3")
	allowed("gateway", "localhost:5000/tool:1")
	not allowed("gateway", "someone/traefik:v3")
	not allowed("gateway", "localhost/traefik:v3")
}

test_no_registry_at_all if {
	pod := samples.pod("shop", "p", {"containers": [{"name": "c", "image": "a/b:1"}]})
	none := object.union(parameters, {"tenantRegistries": []})
	found := allowed_registries.violation with input as samples.asked(pod, none)
	some message in found
	contains(message.msg, "(none)")
}
