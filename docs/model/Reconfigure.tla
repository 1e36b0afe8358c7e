----------------------------- MODULE Reconfigure -----------------------------
(***************************************************************************)
(* RECONFIGURE: how the acceptors of one view choose its only successor.   *)
(*                                                                         *)
(* Single-decree Paxos (Lamport, "Paxos Made Simple", 2001) with one       *)
(* addition: accepting seals the view at that acceptor. Install.tla takes  *)
(* from here that at most one successor is decided, and that a majority    *)
(* has sealed the view when it is.                                         *)
(*                                                                         *)
(* Messages need no representation of their own: whatever one says stays   *)
(* true (a promise was given, a value was proposed), so that a message     *)
(* which is late, repeated or overtaken is somebody taking notice later.   *)
(* A proposer that dies half-way is one that takes no further step.        *)
(*                                                                         *)
(* Broken names one rule that is switched off; TLC has to find a           *)
(* counterexample then.                                                    *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets

CONSTANTS Acceptors, Values, Rounds, Broken

ASSUME Broken \in {"nothing", "majority", "stable promises", "boot in ballots"}

VARIABLES
  promised,  \* promised[n]: the highest ballot that n has promised; 0 is none
  accepted,  \* accepted[n]: [ballot, value]; ballot 0 is none
  promises,  \* promises[b]: what acceptors said when they promised b
  proposals, \* proposals[b]: what was proposed under b; one value at most, since a ballot has one proposer
  voted,     \* voted[b]: <<acceptor, value>> for all that was ever accepted under b
  sealed     \* the acceptors that confirm nothing more in this view

vars == <<promised, accepted, promises, proposals, voted, sealed>>

Ballots == 1..Rounds

IsMajority(Q) == IF Broken = "majority" THEN Q # {} ELSE 2 * Cardinality(Q) > Cardinality(Acceptors)

Init ==
  /\ promised  = [n \in Acceptors |-> 0]
  /\ accepted  = [n \in Acceptors |-> [ballot |-> 0, value |-> "none"]]
  /\ promises  = [b \in Ballots |-> {}]
  /\ proposals = [b \in Ballots |-> {}]
  /\ voted     = [b \in Ballots |-> {}]
  /\ sealed    = {}

Promise(b, n) ==
  /\ b > promised[n]
  /\ promised' = [promised EXCEPT ![n] = b]
  /\ promises' = [promises EXCEPT ![b] = @ \cup {[from |-> n, accepted |-> accepted[n]]}]
  /\ UNCHANGED <<accepted, proposals, voted, sealed>>

\* The value of the highest ballot among the answers, if there is one; else whatever the proposer wants.
MayPropose(answers, value) ==
  LET found == {p \in answers : p.accepted.ballot > 0}
  IN found = {} \/ \E p \in found : /\ \A q \in found : q.accepted.ballot <= p.accepted.ballot
                                    /\ value = p.accepted.value

Propose(b, value) ==
  /\ proposals[b] = {} \/ Broken = "boot in ballots"
  /\ \E answers \in SUBSET promises[b] : IsMajority({p.from : p \in answers}) /\ MayPropose(answers, value)
  /\ proposals' = [proposals EXCEPT ![b] = @ \cup {value}]
  /\ UNCHANGED <<promised, accepted, promises, voted, sealed>>

Accept(b, n) ==
  /\ b >= promised[n]
  /\ \E value \in proposals[b] :
       /\ <<n, value>> \notin voted[b]
       /\ accepted' = [accepted EXCEPT ![n] = [ballot |-> b, value |-> value]]
       /\ voted'    = [voted EXCEPT ![b] = @ \cup {<<n, value>>}]
  /\ promised' = [promised EXCEPT ![n] = b]
  /\ sealed'   = sealed \cup {n}
  /\ UNCHANGED <<promises, proposals>>

\* An acceptor restarts. What it has accepted is stable; its promises are, too, unless that rule is broken.
Restart(n) ==
  /\ Broken = "stable promises" /\ promised[n] # accepted[n].ballot
  /\ promised' = [promised EXCEPT ![n] = accepted[n].ballot]
  /\ UNCHANGED <<accepted, promises, proposals, voted, sealed>>

Next ==
  \/ \E b \in Ballots, n \in Acceptors : Promise(b, n) \/ Accept(b, n)
  \/ \E b \in Ballots, value \in Values : Propose(b, value)
  \/ \E n \in Acceptors : Restart(n)

Spec == Init /\ [][Next]_vars

Decided(value) == \E b \in Ballots : IsMajority({n \in Acceptors : <<n, value>> \in voted[b]})

OneSuccessor == \A v, w \in Values : Decided(v) /\ Decided(w) => v = w

DecidedIsSealed == \A v \in Values : Decided(v) => 2 * Cardinality(sealed) > Cardinality(Acceptors)
=============================================================================
