# What policies share: the object that is asked about, the pods that it makes, and who is exempt from which rule.
#
# Each policy has `problems`, a set of {"rule": …, "text": "what is wrong where: why; how to fix it"}.
package lib.objects

import future.keywords

it := input.review.object

# `Deployment shop/checkout`, as messages begin.
title := sprintf("%s %s", [it.kind, name]) if not it.metadata.namespace

title := sprintf("%s %s/%s", [it.kind, it.metadata.namespace, name]) if it.metadata.namespace

# A pod that a ReplicaSet makes may have no name yet.
default name := "(unnamed)"

name := it.metadata.name

name := it.metadata.generateName if not it.metadata.name

default namespace := ""

namespace := it.metadata.namespace

makers := {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}

# The spec of the pods that the object is, or makes.
pod_spec := it.spec if it.kind == "Pod"

pod_spec := it.spec.template.spec if it.kind in makers

pod_spec := it.spec.jobTemplate.spec.template.spec if it.kind == "CronJob"

# Each container, of whatever sort: what is true of images and privileges.
containers contains container if {
	some sort in ["containers", "initContainers", "ephemeralContainers"]
	some container in pod_spec[sort]
}

# Containers that run as long as the pod: also the sidecars among those that start first.
lasting contains container if some container in pod_spec.containers

lasting contains container if {
	some container in pod_spec.initContainers
	container.restartPolicy == "Always"
}

# What the object belongs to: itself, or what controls it. The name of a Deployment's ReplicaSet ends with a hash.
workload := {"kind": it.kind, "name": name} if not controller

workload := {"kind": controller.kind, "name": controller.name} if controller.kind != "ReplicaSet"

workload := {"kind": "Deployment", "name": regex.replace(controller.name, "-[a-z0-9]+$", "")} if {
	controller.kind == "ReplicaSet"
}

controller := owner if {
	it.kind in {"Pod", "ReplicaSet", "Job"}
	some owner in it.metadata.ownerReferences
	owner.controller
}

# Whether the object is let in whatever the rule says. What is being deleted is, where an update takes its finalizers off and
# changes nothing else: until it is gone it is in force.
exempt(_) if {
	it.metadata.deletionTimestamp
	substance(it) == substance(input.review.oldObject)
}

substance(some_object) := object.remove(some_object, ["metadata", "status"])

# Nor does the audit repeat for each old ReplicaSet what it says, or no longer says, of the Deployment. Whoever asks to have
# one admitted is judged whatever its owner: anybody could name one.
exempt(_) if {
	it.kind == "ReplicaSet"
	controller.kind == "Deployment"
	not input.review.userInfo.username
}

exempt(rule) if {
	some exemption in input.parameters.exemptions
	rule in exemption.allows
	exemption.kind == workload.kind
	object.get(exemption, "namespace", "") == namespace
	named(exemption.name)
}

named(pattern) if pattern == workload.name

named(pattern) if {
	endswith(pattern, "*")
	startswith(workload.name, trim_suffix(pattern, "*"))
}

# What a function may have at most, by `input.parameters.functions`; what is no function, as much as its tenant's largest, and
# where `input.parameters.tenants` names a tenant without functions, nothing: the plan has no room for it.
bound(field, function) := max([known[field] | some known in functions; known.name == function]) if {
	function in {known.name | some known in functions}
}

bound(field, function) := max([known[field] | some known in functions]) if {
	count(functions) > 0
	not function in {known.name | some known in functions}
}

bound(_, _) := 0 if {
	count(functions) == 0
	namespace in input.parameters.tenants
}

functions := [known | some known in input.parameters.functions; known.namespace == namespace]

# A list, or nothing, in words.
words(list) := concat(", ", list) if count(list) > 0

words(list) := "none" if count(list) == 0
