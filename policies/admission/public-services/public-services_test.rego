package admission.public_services_test

import data.admission.public_services
import data.samples
import future.keywords

said(namespace, name, spec) := messages if {
	parameters := {"namespace": "gateway", "name": "api-gateway"}
	service := samples.made("Service", namespace, name, spec)
	messages := public_services.violation with input as samples.asked(service, parameters)
}

test_the_gateways_alone if {
	count(said("gateway", "api-gateway", {"type": "LoadBalancer"})) == 0
	count(said("gateway", "authorizer", {"type": "LoadBalancer"})) == 1
	count(said("shop", "api-gateway", {"type": "NodePort"})) == 1
	count(said("shop", "checkout", {"type": "ClusterIP"})) == 0
	count(said("shop", "checkout", {})) == 0
}

test_nobody_takes_an_address_over if {
	count(said("gateway", "api-gateway", {"externalIPs": ["192.0.2.1"]})) == 1
	count(said("gateway", "api-gateway", {"externalIPs": []})) == 0
}
