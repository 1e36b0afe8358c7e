---------------------------- MODULE InstallSmall ----------------------------
(* Three nodes; two replicas of the first view; successors that bring the third one in, or are one replica alone. *)
EXTENDS Install
CONSTANTS a, b, c
FirstReplicas     == <<a, b>>
CandidateReplicas == {<<c, b>>, <<a, c>>, <<b>>}
=============================================================================
