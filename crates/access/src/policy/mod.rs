//! Policies: who may do what to which document.
