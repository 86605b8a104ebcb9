package admission.rbac_test

import data.admission.rbac
import data.samples
import future.keywords

parameters := {"exemptions": [
	{"kind": "ClusterRole", "name": "system:*", "allows": ["wildcard"]},
	{"kind": "ClusterRole", "name": "cluster-admin", "allows": ["wildcard"]},
]}

said(object) := messages if {
	messages := rbac.violation with input as samples.asked(object, parameters)
}

role(kind, name, rule) := {"kind": kind, "metadata": {"name": name}, "rules": [rule]}

binding(role_name, subject) := {
	"kind": "RoleBinding",
	"metadata": {"name": "b", "namespace": "shop"},
	"roleRef": {"name": role_name},
	"subjects": [subject],
}

all_verbs := {"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}

test_wildcards_anywhere if {
	count(said(role("Role", "r", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}))) == 0
	count(said(role("Role", "r", all_verbs))) == 1
	count(said(role("ClusterRole", "r", {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}))) == 3
	count(said(role("ClusterRole", "r", {"nonResourceURLs": ["*"], "verbs": ["get"]}))) == 1
}

test_the_api_servers_own_are_exempt_by_name_and_kind if {
	count(said(role("ClusterRole", "system:node", all_verbs))) == 0
	count(said(role("ClusterRole", "cluster-admin", all_verbs))) == 0
	count(said(role("ClusterRole", "cluster-admins", all_verbs))) == 1
	count(said(role("Role", "system:node", all_verbs))) == 1
	count(said(object.union(role("ClusterRole", "system:node", all_verbs), {"metadata": {"namespace": "shop"}}))) == 1
}

test_rights_that_give_rights if {
	count(said(role("Role", "r", {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]}))) == 1
	count(said(role("ClusterRole", "system:node", {"resources": ["roles"], "verbs": ["bind", "escalate"]}))) == 2
}

test_everybody if {
	count(said(binding("r", {"kind": "User", "name": "system:anonymous"}))) == 1
	count(said(binding("r", {"kind": "Group", "name": "system:authenticated"}))) == 1
	count(said(binding("r", {"kind": "Group", "name": "shop-developers"}))) == 0
}

test_everything if count(said(binding("cluster-admin", {"kind": "Group", "name": "shop-developers"}))) == 1
