package admission.digest_pinned_images_test

import data.admission.digest_pinned_images
import data.samples
import future.keywords

digest := "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

said(namespace, image, namespaces) := messages if {
	pod := samples.pod(namespace, "checkout-1", {"containers": [{"name": "function", "image": image}]})
	messages := digest_pinned_images.violation with input as samples.asked(pod, {"namespaces": namespaces})
}

test_a_digest_with_and_without_a_tag if {
	count(said("shop", concat("@", ["checkout", digest]), ["shop"])) == 0
	count(said("shop", concat("@", ["checkout:1", digest]), ["shop"])) == 0
}

test_a_tag_or_half_a_digest if {
	count(said("shop", "checkout:1", ["shop"])) == 1
	count(said("shop", "checkout@sha256:5f70bf18", ["shop"])) == 1
}

test_where_it_is_not_asked_for if {
	count(said("gateway", "traefik:v3", ["shop"])) == 0
	count(said("shop", "checkout:1", [])) == 0
}
