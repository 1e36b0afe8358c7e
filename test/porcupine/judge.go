package main

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// A verdict is what is printed about one history.
type verdict struct {
	History string `json:"history"`
	Verdict string `json:"verdict"`
	Path    string `json:"path,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Operations that were judged; those that surely had no effect are not.
	Operations int `json:"operations"`
}

const (
	linearizable    = "linearizable"
	notLinearizable = "not linearizable"
	undecided       = "undecided"
)

// judge checks a history path by path: it is linearizable exactly when each of its paths is (Herlihy and Wing, 1990).
func judge(h *history, timeout time.Duration) verdict {
	joinMoves(h.operations)
	byPath := map[string][]*operation{}
	for _, each := range h.operations {
		if each.answer.Kind != "refused" {
			byPath[each.path] = append(byPath[each.path], each)
		}
	}
	paths := make([]string, 0, len(byPath))
	for path := range byPath {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	result := verdict{History: h.name, Verdict: linearizable}
	for _, path := range paths {
		result.Operations += len(byPath[path])
		found, reason := judgePath(byPath[path], timeout)
		if found == linearizable || result.Verdict == notLinearizable {
			continue
		}
		result.Verdict, result.Path, result.Reason = found, path, reason
	}
	return result
}

// joinMoves puts both halves of each move at one moment, as far as a history of single paths can say it: when somebody
// has read the copy of a move that nobody was told of, its source was removed before that read was over.
func joinMoves(operations []*operation) {
	first := map[moved]float64{}
	for _, each := range operations {
		if each.action.Kind != "get" || each.answer.Kind != "ok" {
			continue
		}
		read := moved{Path: each.path, Value: each.answer.Value}
		if at, is := first[read]; !is || each.answered < at {
			first[read] = each.answered
		}
	}
	for _, each := range operations {
		if each.action.MovedTo == nil || each.answer.Kind != "unknown" {
			continue
		}
		if at, is := first[*each.action.MovedTo]; is {
			each.answer.Kind, each.answered = "ok", math.Max(at, each.invoked)
		}
	}
}

func judgePath(operations []*operation, timeout time.Duration) (string, string) {
	known, err := learnEtags(operations)
	if err != nil {
		return notLinearizable, err.Error()
	}
	found, reason := judgeRegister(operations, known, timeout)
	for _, one := range focuses(operations) {
		if found != linearizable {
			break
		}
		known.focus = one
		found, reason = judgeRegister(operations, known, timeout)
	}
	return found, reason
}

func judgeRegister(operations []*operation, known etags, timeout time.Duration) (string, string) {
	model := porcupine.NondeterministicModel{
		Init: func() []interface{} { return []interface{}{file{}} },
		Step: func(state, input, _ interface{}) []interface{} {
			var states []interface{}
			for _, after := range known.after(state.(file), input.(fate)) {
				states = append(states, after)
			}
			return states
		},
	}
	switch porcupine.CheckOperationsTimeout(model.ToModel(), intervals(operations, known.focus), timeout) {
	case porcupine.Ok:
		return linearizable, ""
	case porcupine.Illegal:
		return notLinearizable, "no order of the operations explains their answers"
	default:
		return undecided, "the search took too long"
	}
}

// intervals says between which moments each operation took effect, by the order of all moments: porcupine counts in
// integers, and only the order matters.
//
// An operation of unknown outcome may take effect at any later time, or never. Where somebody has read what it wrote, it
// has taken effect before that read was answered, since every value is written once. One that changes nothing is left out.
func intervals(operations []*operation, focus *focus) []porcupine.Operation {
	seen := map[string]float64{}
	for _, each := range operations {
		if each.action.Kind != "get" || each.answer.Kind != "ok" {
			continue
		}
		if at, is := seen[each.answer.Value]; !is || each.answered < at {
			seen[each.answer.Value] = each.answered
		}
	}
	type span struct {
		fate
		until float64
	}
	var spans []span
	for _, each := range operations {
		one := span{fate: fate{operation: each}, until: each.answered}
		if each.answer.Kind == "unknown" {
			at, isSeen := seen[each.action.Value]
			switch {
			case isRead(each.action.Kind), each.action.Kind == "forget" && focus == nil:
				continue
			case each.action.Value != "" && isSeen:
				// Read before it was asked for: the order of the two calls will show it.
				one.until = math.Max(at, each.invoked)
			default:
				one.optional, one.until = true, math.Inf(1)
			}
		}
		spans = append(spans, one)
	}
	moments := make([]float64, 0, 2*len(spans))
	for _, each := range spans {
		moments = append(moments, each.invoked, each.until)
	}
	slices.Sort(moments)
	moments = slices.Compact(moments)
	rank := func(at float64) int64 {
		index, _ := slices.BinarySearch(moments, at)
		return int64(index)
	}
	timed := make([]porcupine.Operation, len(spans))
	for index, each := range spans {
		timed[index] = porcupine.Operation{Input: each.fate, Call: rank(each.invoked), Return: rank(each.until)}
	}
	return timed
}
