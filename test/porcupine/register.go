package main

import "fmt"

// A file is the state of one path: the value that stands there, or none. Every value is written once, so a value names
// one write. Whether the value in focus is in the trash of the path is a part of it.
type file struct {
	stands  bool
	value   string
	trashed bool
}

// A fate is an operation with what the whole history says of it beforehand.
type fate struct {
	*operation
	// Of unknown outcome: it may have no effect at all.
	optional bool
}

// etags says which value each ETag names, and which values have a known ETag, as far as the answers tell.
type etags struct {
	valueOf map[string]string
	known   map[string]bool
	// The value whose place in the trash is judged; nil where the file alone is.
	focus *focus
}

// learnEtags fails when one ETag names two values, or one value has two ETags: no order explains that.
func learnEtags(operations []*operation) (etags, error) {
	learned := etags{valueOf: map[string]string{}, known: map[string]bool{}}
	of := map[string]string{}
	for _, each := range operations {
		value, says := namedValue(each)
		if !says || each.answer.Kind != "ok" || each.answer.Etag == nil {
			continue
		}
		etag := *each.answer.Etag
		if other, is := learned.valueOf[etag]; is && other != value {
			return learned, fmt.Errorf("the etag %s names %s and %s", etag, other, value)
		}
		if other, is := of[value]; is && other != etag {
			return learned, fmt.Errorf("the value %s has the etags %s and %s", value, other, etag)
		}
		learned.valueOf[etag], of[value], learned.known[value] = value, etag, true
	}
	return learned, nil
}

// namedValue gives the value that a successful answer speaks of, where the history says which one it is.
func namedValue(each *operation) (string, bool) {
	switch each.action.Kind {
	case "get":
		return each.answer.Value, true
	case "put", "create", "replace":
		return each.action.Value, true
	default:
		return "", false
	}
}

type match int

const (
	no match = iota
	maybe
	yes
)

// matches says whether the file has the ETag. One that no answer explains may be that of any value without a known one.
func (e etags) matches(etag string, now file) match {
	if !now.stands {
		return no
	}
	if value, is := e.valueOf[etag]; is {
		if value == now.value {
			return yes
		}
		return no
	}
	if e.known[now.value] {
		return no
	}
	return maybe
}

// after gives the states in which the path may be after the operation; none when the answer can't be explained.
func (e etags) after(now file, each fate) []file {
	if each.optional {
		effect := e.effect(now, each.action)
		if effect == nil {
			return []file{now}
		}
		if *effect = e.focus.after(now, *effect, each.operation); *effect == now {
			return []file{now}
		}
		return []file{now, *effect}
	}
	if !e.explains(now, each) || !e.focus.explains(now, each.operation) {
		return nil
	}
	if each.answer.Kind == "ok" || each.answer.Kind == "unknown" {
		if effect := e.effect(now, each.action); effect != nil {
			return []file{e.focus.after(now, *effect, each.operation)}
		}
		return nil
	}
	return []file{now}
}

// effect gives the state after the action has succeeded; nil when it can't succeed here.
func (e etags) effect(now file, asked action) *file {
	switch asked.Kind {
	case "get", "exists", "trash", "trashed", "forget":
		return &now
	case "put":
		return &file{stands: true, value: asked.Value, trashed: now.trashed}
	case "create":
		if now.stands {
			return nil
		}
		return &file{stands: true, value: asked.Value, trashed: now.trashed}
	case "replace":
		if asked.Etag == nil || e.matches(*asked.Etag, now) == no {
			return nil
		}
		return &file{stands: true, value: asked.Value, trashed: now.trashed}
	case "remove":
		if !now.stands || (asked.Etag != nil && e.matches(*asked.Etag, now) == no) {
			return nil
		}
		return &file{trashed: now.trashed}
	default:
		panic("an action of the kind " + asked.Kind)
	}
}

// explains says whether the client could be told this in the state. Of an effect that is known to have happened though
// its own answer is lost, nothing was told.
func (e etags) explains(now file, each fate) bool {
	asked, told := each.action, each.answer
	switch told.Kind {
	case "unknown":
		return true
	case "ok":
		switch asked.Kind {
		case "get":
			return now.stands && now.value == told.Value
		case "exists":
			return now.stands && (told.Etag == nil || e.matches(*told.Etag, now) != no)
		case "put":
			return told.Created == nil || *told.Created != now.stands
		default:
			return true
		}
	case "FILE_NOT_FOUND":
		return !now.stands
	case "FILE_EXISTS":
		return now.stands
	case "PRECONDITION_FAILED":
		return asked.Etag != nil && e.matches(*asked.Etag, now) != yes
	default:
		panic("an answer of the kind " + told.Kind)
	}
}
