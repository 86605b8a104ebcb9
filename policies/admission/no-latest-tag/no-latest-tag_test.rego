package admission.no_latest_tag_test

import data.admission.no_latest_tag
import data.samples
import future.keywords

rules(image) := [violation.details.rule | some violation in found] if {
	pod := samples.pod("shop", "p", {"containers": [{"name": "c", "image": image}]})
	found := no_latest_tag.violation with input as samples.asked(pod, {})
}

test_versions if {
	rules("checkout:1.0.0") == []
	rules("localhost:5000/checkout:1.0.0") == []
	rules("checkout@sha256:5f70") == []
	rules("checkout:latest@sha256:5f70") == []
}

test_latest if {
	rules("checkout:latest") == ["latest"]
	rules("checkout") == ["no-tag"]
	rules("localhost:5000/checkout") == ["no-tag"]
}

test_the_message if {
	pod := samples.pod("shop", "p", {"initContainers": [{"name": "c", "image": "a:latest"}]})
	found := no_latest_tag.violation with input as samples.asked(pod, {})
	count(found) == 1
}
