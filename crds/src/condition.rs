//! The condition types that every resource of ours reports, as Flux, Argo CD, Helm and `kubectl wait` read them.

/// `True`: the Secret is what the resource says. The one condition that consumers need.
pub const READY: &str = "Ready";

/// `True`: the controller is at work or tries again by itself. Absent otherwise.
pub const RECONCILING: &str = "Reconciling";

/// `False`: the Secret is good as it is, and the controller could not look after it of late and tries again by itself.
/// Absent otherwise. Apart from `Reconciling`, which would make whoever waits for the object wait again.
pub const FRESH: &str = "Fresh";

/// `True`: nothing changes until somebody acts; the message says how. Absent otherwise.
pub const STALLED: &str = "Stalled";
