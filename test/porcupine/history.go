package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// An action is what a client asked of one path; which fields are set depends on the kind.
type action struct {
	Kind  string  `json:"kind"`
	Value string  `json:"value"`
	Etag  *string `json:"etag"`
	// Of a write: the value in the trash whose bytes it brings back, and whether its bytes are those of another file.
	Restores *string `json:"restores"`
	Copied   bool    `json:"copied"`
	// What is looked for in the trash, and what is taken out of it.
	Of     string   `json:"of"`
	Values []string `json:"values"`
	// Of the removal that a move is at its source: the write that it is at its destination.
	MovedTo *moved `json:"movedTo"`
}

// A moved file stands at a path under a value that nobody else has written.
type moved struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

// An answer is what a client was told.
type answer struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
	// What the trash of the path has.
	Values  []string `json:"values"`
	Etag    *string  `json:"etag"`
	Created *bool    `json:"created"`
}

// An operation is one call of one client.
type operation struct {
	id       string
	client   string
	path     string
	action   action
	answer   answer
	invoked  float64
	answered float64
	// Whether an answer came at all.
	hasAnswer bool
}

// A history is what the clients of one run asked and were told.
type history struct {
	name       string
	operations []*operation
}

// An event is one line of a history file.
type event struct {
	Event  string   `json:"event"`
	Name   string   `json:"name"`
	ID     string   `json:"id"`
	AtMs   *float64 `json:"atMs"`
	Client string   `json:"client"`
	Path   string   `json:"path"`
	Action *action  `json:"action"`
	Answer *answer  `json:"answer"`
}

const lineBytesMax = 16 * 1024 * 1024

// readHistories reads a file of events. A line {"event":"history","name":…} begins another history; without one the
// whole file is a single history that has the name of the file.
func readHistories(from io.Reader, name string) ([]*history, error) {
	scanner := bufio.NewScanner(from)
	scanner.Buffer(make([]byte, 0, 64*1024), lineBytesMax)
	var histories []*history
	known := map[string]*operation{}
	for number := 1; scanner.Scan(); number++ {
		line := bytes.TrimSpace(scanner.Bytes())
		if len(line) == 0 {
			continue
		}
		var read event
		if err := json.Unmarshal(line, &read); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if read.Event == "history" {
			histories = append(histories, &history{name: read.Name})
			known = map[string]*operation{}
			continue
		}
		if len(histories) == 0 {
			histories = append(histories, &history{name: name})
		}
		if err := histories[len(histories)-1].take(read, known); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return histories, scanner.Err()
}

func (h *history) take(read event, known map[string]*operation) error {
	before := known[read.ID]
	switch {
	case read.ID == "" || read.AtMs == nil:
		return errors.New("an event has an id and a time")
	case read.Event == "invoked" && read.Action != nil && before == nil:
		invoked := &operation{
			id: read.ID, client: read.Client, path: read.Path, action: *read.Action,
			answer: answer{Kind: "unknown"}, invoked: *read.AtMs,
		}
		known[read.ID] = invoked
		h.operations = append(h.operations, invoked)
	case read.Event == "answered" && read.Answer != nil && before != nil && !before.hasAnswer:
		before.answer, before.answered, before.hasAnswer = *read.Answer, *read.AtMs, true
	default:
		return fmt.Errorf("the event %q of the operation %q does not fit here", read.Event, read.ID)
	}
	return nil
}
