//! The answer of one link of the path by which Prometheus reaches a pod.

/// What a link comes to. Evidence, fault and reason are values; none is a sentence, and no link reads another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<Evidence, Fault, Why> {
    Holds(Evidence),
    Broken(Fault),
    /// It cannot be computed from what is at hand.
    Unknown(Why),
}

impl<E, F, W> Verdict<E, F, W> {
    pub fn holds(&self) -> bool {
        matches!(self, Verdict::Holds(_))
    }

    pub fn evidence(&self) -> Option<&E> {
        match self {
            Verdict::Holds(evidence) => Some(evidence),
            _ => None,
        }
    }

    pub fn fault(&self) -> Option<&F> {
        match self {
            Verdict::Broken(fault) => Some(fault),
            _ => None,
        }
    }

    pub fn why(&self) -> Option<&W> {
        match self {
            Verdict::Unknown(why) => Some(why),
            _ => None,
        }
    }

    /// The same verdict in wider types.
    pub fn map<E2, F2, W2>(
        self,
        evidence: impl FnOnce(E) -> E2,
        fault: impl FnOnce(F) -> F2,
        why: impl FnOnce(W) -> W2,
    ) -> Verdict<E2, F2, W2> {
        match self {
            Verdict::Holds(of) => Verdict::Holds(evidence(of)),
            Verdict::Broken(of) => Verdict::Broken(fault(of)),
            Verdict::Unknown(of) => Verdict::Unknown(why(of)),
        }
    }
}
