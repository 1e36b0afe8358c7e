package main

import (
	"math"
	"slices"
)

// A focus is one value of a path whose place in the trash is judged beside the file: what a write replaces or removes goes
// in, what is restored or forgotten goes out. A linearizable history has an order that is right for each value by itself.
type focus struct {
	value string
	// Lists that it is not in, and would have to be in if it was in the trash.
	misses map[string]bool
}

const (
	// Newer versions that a path keeps in its trash: with so many an older one may be gone by itself.
	keptForSure = 16
	// Values of one path that are judged, at most.
	focusesMax = 24
)

func isRead(kind string) bool {
	return slices.Contains([]string{"get", "exists", "trash", "trashed"}, kind)
}

func isWriting(kind string) bool {
	return kind == "put" || kind == "create" || kind == "replace"
}

func (f *focus) explains(now file, told *operation) bool {
	if f == nil || told.answer.Kind != "ok" {
		return true
	}
	switch told.action.Kind {
	case "trash":
		if slices.Contains(told.answer.Values, f.value) {
			return now.trashed
		}
		return !now.trashed || !f.misses[told.id]
	case "trashed":
		return told.action.Of != f.value || now.trashed
	default:
		return true
	}
}

func (f *focus) after(now, then file, each *operation) file {
	if f == nil || isRead(each.action.Kind) {
		return then
	}
	asked := each.action
	isReplaced := now.stands && now.value == f.value && (!then.stands || then.value != now.value)
	switch {
	case asked.Kind == "forget":
		then.trashed = now.trashed && !slices.Contains(asked.Values, f.value)
	case asked.Restores != nil && *asked.Restores == f.value:
		then.trashed = false
	case isReplaced && asked.MovedTo == nil:
		then.trashed = true
	}
	return then
}

// focuses are the values of whose place in the trash some answer tells.
func focuses(operations []*operation) []*focus {
	var listed, others []string
	last := math.Inf(-1)
	for _, each := range operations {
		if each.answer.Kind != "ok" {
			continue
		}
		if each.action.Kind == "trashed" {
			listed = append(listed, each.action.Of)
		}
		if each.action.Kind == "trash" {
			last = math.Max(last, each.invoked)
			listed = append(listed, each.answer.Values...)
		}
	}
	listed = distinct(listed)
	for _, each := range operations {
		isWritten := isWriting(each.action.Kind) && each.answer.Kind == "ok" && each.invoked < last
		if isWritten && !slices.Contains(listed, each.action.Value) {
			others = append(others, each.action.Value)
		}
	}
	var all []*focus
	for _, value := range append(spread(listed), spread(others)...) {
		all = append(all, &focus{value: value, misses: missesOf(value, operations)})
	}
	return all
}

// missesOf gives the lists that show that the value is not in the trash. Where a write of the same bytes may have replaced
// it none does: such a write puts nothing into the trash.
func missesOf(value string, operations []*operation) map[string]bool {
	bytes := bytesOf(operations)
	own, isKnown := bytes[value]
	var written *operation
	for _, each := range operations {
		if !isWriting(each.action.Kind) {
			continue
		}
		if each.action.Value == value && written == nil {
			written = each
		}
		if each.action.Restores == nil {
			continue
		}
		if other, is := bytes[each.action.Value]; !isKnown || !is || other == own {
			return nil
		}
	}
	misses := map[string]bool{}
	for _, list := range operations {
		if list.action.Kind != "trash" || list.answer.Kind != "ok" || slices.Contains(list.answer.Values, value) {
			continue
		}
		if written != nil && changesBetween(operations, written.invoked, list.answered) <= keptForSure {
			misses[list.id] = true
		}
	}
	return misses
}

// bytesOf says by which value each has its bytes; without those of which the history does not say it.
func bytesOf(operations []*operation) map[string]string {
	restored, copied := map[string]string{}, map[string]bool{}
	for _, each := range operations {
		if each.action.Restores != nil {
			restored[each.action.Value] = *each.action.Restores
		}
		copied[each.action.Value] = copied[each.action.Value] || each.action.Copied
	}
	bytes := map[string]string{}
	for _, each := range operations {
		if !isWriting(each.action.Kind) {
			continue
		}
		from := each.action.Value
		for next, is := restored[from]; is && next != each.action.Value; next, is = restored[next] {
			from = next
		}
		if !copied[from] {
			bytes[each.action.Value] = from
		}
	}
	return bytes
}

// changesBetween counts the operations that may have changed the path from one moment to another.
func changesBetween(operations []*operation, from, until float64) int {
	count := 0
	for _, each := range operations {
		if !isWriting(each.action.Kind) && each.action.Kind != "remove" {
			continue
		}
		isOpen := each.answer.Kind == "unknown"
		if (isOpen || each.answer.Kind == "ok") && each.invoked <= until && (isOpen || each.answered >= from) {
			count++
		}
	}
	return count
}

// spread takes half of what is judged from all, at even distances.
func spread(all []string) []string {
	const most = focusesMax / 2
	if len(all) <= most {
		return all
	}
	some := make([]string, most)
	for index := range some {
		some[index] = all[index*len(all)/most]
	}
	return some
}

func distinct(all []string) []string {
	var some []string
	for _, each := range all {
		if !slices.Contains(some, each) {
			some = append(some, each)
		}
	}
	return some
}
