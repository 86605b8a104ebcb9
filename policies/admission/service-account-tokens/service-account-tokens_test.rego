package admission.service_account_tokens_test

import data.admission.service_account_tokens
import data.samples
import future.keywords

said(object) := messages if {
	messages := service_account_tokens.violation with input as samples.asked(object, {"tenants": ["shop"]})
}

account(name, fields) := object.union({"kind": "ServiceAccount", "metadata": {"name": name, "namespace": "shop"}}, fields)

without := {"automountServiceAccountToken": false}

test_pods_say_it_themselves if {
	count(said(samples.pod("shop", "p", without))) == 0
	count(said(samples.pod("shop", "p", {}))) == 1
	count(said(samples.pod("shop", "p", {"automountServiceAccountToken": true}))) == 1
	count(said(samples.deployment("gateway", "d", {}))) == 1
}

test_accounts if {
	count(said(account("functions", without))) == 0
	count(said(account("functions", {}))) == 1
	count(said(account("default", {}))) == 0
}

test_tokens_by_name_are_the_platforms_alone if {
	token := {"volumes": [{"name": "credentials", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]}
	count(said(samples.deployment("shop", "d", object.union(without, token)))) == 1
	count(said(samples.deployment("gateway", "d", object.union(without, token)))) == 0
}
