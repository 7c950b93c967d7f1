//! Tables for the plan: what is in the cluster and at the source on the left, what happens on the right.
