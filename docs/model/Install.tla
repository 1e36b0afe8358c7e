------------------------------- MODULE Install -------------------------------
(***************************************************************************)
(* INSTALL: how a view takes over the state of the one before it, beside   *)
(* writes and reads that go on. One range, without splits or bodies.       *)
(*                                                                         *)
(* The views of the range are numbered by their epochs. RECONFIGURE is     *)
(* taken as Reconfigure.tla shows it: acceptors seal one by one, and when  *)
(* a majority has, one successor is decided. All nodes are acceptors.      *)
(*                                                                         *)
(* State is stable before a message that depends on it leaves, so a crash  *)
(* is an absence of steps. What a message says stays true, so messages     *)
(* need no representation: a late one is somebody taking notice later. The *)
(* exception is the state that a source hands out, which is true at one    *)
(* moment; it may arrive at any time after it (fetched).                   *)
(*                                                                         *)
(* Broken names one rule that is switched off; TLC has to find a           *)
(* counterexample then.                                                    *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  Nodes,
  First,       \* the replicas of epoch 0, head first
  Candidates,  \* the sequences of replicas that may be decided
  LastEpoch,
  Writes,      \* each adds one element; overwriting is left to the simulator
  Broken

ASSUME Broken \in {"nothing", "seal before fetch", "installed sources", "active before serving",
                   "installed before passing", "confirm"}

VARIABLES
  replicas,   \* replicas[e]: the replicas of the view of epoch e, or <<>> while it is not decided
  sealed,     \* sealed[e]: the nodes that neither store, confirm nor read in this view any more
  installed,  \* installed[e]: the replicas that have adopted the state it starts from
  active,     \* active[e]: the replicas that know that all are installed
  initial,    \* initial[e][n]: what replica n adopted
  stored,     \* stored[e][n]: what replica n holds in this view
  source,     \* source[e]: the epoch that the head of e asks for its state
  fetched,    \* fetched[e]: the states that sources have handed out to the head of e
  revealed    \* all that a client was ever told of

vars == <<replicas, sealed, installed, active, initial, stored, source, fetched, revealed>>

Epochs == 0..LastEpoch

IsMajority(Q) == 2 * Cardinality(Q) > Cardinality(Nodes)

Exists(e)  == replicas[e] # <<>>
Members(e) == {replicas[e][i] : i \in 1..Len(replicas[e])}
HeadOf(e)  == replicas[e][1]
TailOf(e)  == replicas[e][Len(replicas[e])]
Founders   == {First[i] : i \in 1..Len(First)}

Init ==
  /\ replicas  = [e \in Epochs |-> IF e = 0 THEN First ELSE <<>>]
  /\ sealed    = [e \in Epochs |-> {}]
  /\ installed = [e \in Epochs |-> IF e = 0 THEN Founders ELSE {}]
  /\ active    = [e \in Epochs |-> IF e = 0 THEN Founders ELSE {}]
  /\ initial   = [e \in Epochs |-> [n \in Nodes |-> {}]]
  /\ stored    = [e \in Epochs |-> [n \in Nodes |-> {}]]
  /\ source    = [e \in Epochs |-> IF e = 0 THEN 0 ELSE e - 1]
  /\ fetched   = [e \in Epochs |-> {}]
  /\ revealed  = {}

-----------------------------------------------------------------------------
(* RECONFIGURE, in short *)

\* An acceptor accepts something, whether it will be decided or not.
Seal(e, n) ==
  /\ e < LastEpoch /\ Exists(e) /\ n \notin sealed[e]
  /\ sealed' = [sealed EXCEPT ![e] = @ \cup {n}]
  /\ UNCHANGED <<replicas, installed, active, initial, stored, source, fetched, revealed>>

Decide(e, value) ==
  /\ e < LastEpoch /\ Exists(e) /\ ~Exists(e + 1) /\ IsMajority(sealed[e])
  /\ replicas' = [replicas EXCEPT ![e + 1] = value]
  /\ UNCHANGED <<sealed, installed, active, initial, stored, source, fetched, revealed>>

-----------------------------------------------------------------------------
(* INSTALL *)

\* A replica of the source is asked, by the head of e or by a message of it that was late. It seals first. Where the
\* source was never installed it was never active: a sealed replica installs nothing any more. So its parent is asked.
Fetch(e, from) ==
  LET s == source[e]
  IN /\ e > 0 /\ Exists(e) /\ HeadOf(e) \notin installed[e]
     /\ from \in Members(s)
     /\ sealed' = IF Broken = "seal before fetch" THEN sealed ELSE [sealed EXCEPT ![s] = @ \cup {from}]
     /\ IF from \in installed[s] \/ Broken = "installed sources"
        THEN fetched' = [fetched EXCEPT ![e] = @ \cup {stored[s][from]}] /\ UNCHANGED source
        ELSE source' = [source EXCEPT ![e] = s - 1] /\ UNCHANGED fetched
     /\ UNCHANGED <<replicas, installed, active, initial, stored, revealed>>

Adopt(e, n, state) ==
  /\ n \notin installed[e] \cup sealed[e]
  /\ installed' = [installed EXCEPT ![e] = @ \cup {n}]
  /\ initial'   = [initial EXCEPT ![e][n] = state]
  /\ stored'    = [stored EXCEPT ![e][n] = @ \cup state]
  /\ UNCHANGED <<replicas, sealed, active, source, fetched, revealed>>

InstallHead(e) == Exists(e) /\ \E state \in fetched[e] : Adopt(e, HeadOf(e), state)

\* Down the chain as it is: the view takes no write before all are installed.
InstallNext(e, i) ==
  LET n == replicas[e][i]
  IN n \in installed[e] /\ Adopt(e, replicas[e][i + 1], initial[e][n])

Activate(e) ==
  /\ Exists(e) /\ HeadOf(e) \in installed[e] \ (active[e] \cup sealed[e])
  /\ TailOf(e) \in installed[e] \/ Broken = "active before serving"
  /\ active' = [active EXCEPT ![e] = @ \cup {HeadOf(e)}]
  /\ UNCHANGED <<replicas, sealed, installed, initial, stored, source, fetched, revealed>>

LearnActive(e, n) ==
  /\ n \in installed[e] \ active[e] /\ HeadOf(e) \in active[e]
  /\ active' = [active EXCEPT ![e] = @ \cup {n}]
  /\ UNCHANGED <<replicas, sealed, installed, initial, stored, source, fetched, revealed>>

-----------------------------------------------------------------------------
(* The chain: van Renesse & Schneider 2004; reads at any replica: Terrace & Freedman 2009. *)

Write(e, w) ==
  /\ Exists(e) /\ HeadOf(e) \in active[e] \ sealed[e]
  /\ \A f \in Epochs, n \in Nodes : w \notin stored[f][n]
  /\ stored' = [stored EXCEPT ![e][HeadOf(e)] = @ \cup {w}]
  /\ UNCHANGED <<replicas, sealed, installed, active, initial, source, fetched, revealed>>

PassOn(e, i, w) ==
  LET n == replicas[e][i + 1]
  IN /\ w \in stored[e][replicas[e][i]] \ (stored[e][n] \cup initial[e][replicas[e][i]])
     /\ n \notin sealed[e]
     /\ n \in installed[e] \/ Broken = "installed before passing"
     /\ stored' = [stored EXCEPT ![e][n] = @ \cup {w}]
     /\ UNCHANGED <<replicas, sealed, installed, active, initial, source, fetched, revealed>>

\* A write is answered when the tail has it, even if the view was sealed meanwhile.
Answer(e, w) ==
  /\ Exists(e) /\ w \in stored[e][TailOf(e)] \ (initial[e][TailOf(e)] \cup revealed)
  /\ revealed' = revealed \cup {w}
  /\ UNCHANGED <<replicas, sealed, installed, active, initial, stored, source, fetched>>

\* Clean is what was adopted and what the tail is known to have. For a dirty record the tail is asked.
Visible(e, n) == initial[e][n] \cup (stored[e][n] \cap stored[e][TailOf(e)])

\* The replica knows the view to be active, and a majority of the acceptors was not sealed after the read had come.
MayRead(e, n) ==
  /\ Exists(e) /\ n \in active[e] \ sealed[e]
  /\ IsMajority(Nodes \ sealed[e]) \/ Broken = "confirm"

Read(e, n) ==
  /\ MayRead(e, n) /\ ~(Visible(e, n) \subseteq revealed)
  /\ revealed' = revealed \cup Visible(e, n)
  /\ UNCHANGED <<replicas, sealed, installed, active, initial, stored, source, fetched>>

-----------------------------------------------------------------------------
Next ==
  \E e \in Epochs :
    \/ \E value \in Candidates : Decide(e, value)
    \/ \E n \in Nodes : Seal(e, n) \/ Fetch(e, n) \/ LearnActive(e, n) \/ Read(e, n)
    \/ \E i \in 1..(Len(replicas[e]) - 1) : InstallNext(e, i) \/ \E w \in Writes : PassOn(e, i, w)
    \/ InstallHead(e) \/ Activate(e)
    \/ \E w \in Writes : Write(e, w) \/ Answer(e, w)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
\* No read misses what a client was told: an answered write is never lost, and what was read once stays.
ReadsAreFresh == \A e \in Epochs, n \in Nodes : MayRead(e, n) => revealed \subseteq Visible(e, n)

\* Never two views that both serve reads.
OneServes == \A e, f \in Epochs, n, m \in Nodes : MayRead(e, n) /\ MayRead(f, m) => e = f

\* No record is downstream that is not upstream.
Upstream ==
  \A e \in Epochs : \A i \in 1..(Len(replicas[e]) - 1) :
    stored[e][replicas[e][i + 1]] \subseteq stored[e][replicas[e][i]]

\* The search for a source ends at the founding view, which was installed everywhere.
SourceFound == \A e \in Epochs : source[e] \in Epochs
=============================================================================
