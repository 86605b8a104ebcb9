# Rights are named one by one; nobody without a name has any, and nobody all of them.
package admission.rbac

import data.lib.objects
import future.keywords

violation contains {"msg": sprintf("%s: %s", [objects.title, problem.text]), "details": {"rule": problem.rule}} if {
	some problem in problems
	not objects.exempt(problem.rule)
}

problems contains {"rule": "wildcard", "text": text} if {
	some i, rule in objects.it.rules
	some field in ["apiGroups", "resources", "verbs", "nonResourceURLs"]
	"*" in rule[field]
	text := sprintf(
		"rules[%d].%s: *: %s; name what it needs",
		[i, field, "it also allows what exists only later"],
	)
}

problems contains {"rule": "escalation", "text": text} if {
	some i, rule in objects.it.rules
	some verb in rule.verbs
	verb in {"bind", "escalate", "impersonate"}
	text := sprintf("rules[%d].verbs: %s: whoever has it can give themselves any right; leave it out", [i, verb])
}

everybody := {"system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts"}

problems contains {"rule": "everybody", "text": text} if {
	some subject in objects.it.subjects
	subject.kind in {"User", "Group"}
	subject.name in everybody
	text := sprintf(
		"subjects: %s: %s; name the account or the group that needs it",
		[subject.name, "whoever reaches the API server, or runs a pod, would have these rights"],
	)
}

problems contains {"rule": "cluster-admin", "text": text} if {
	objects.it.roleRef.name == "cluster-admin"
	text := sprintf("roleRef: cluster-admin: %s; bind a role that names what is needed", ["it may do everything everywhere"])
}
