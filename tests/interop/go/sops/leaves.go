// The values of a tree, in the order in which SOPS walks it.
package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/getsops/sops/v3"
)

type walk struct {
	document int
	found    []Leaf
}

func leaves(branches sops.TreeBranches) ([]Leaf, error) {
	var walk walk
	for document, branch := range branches {
		walk.document = document
		if err := walk.value(branch, nil); err != nil {
			return nil, err
		}
	}
	return walk.found, nil
}

func (walk *walk) value(in any, path []string) error {
	switch in := in.(type) {
	case sops.TreeBranch:
		for _, item := range in {
			if comment, is := item.Key.(sops.Comment); is {
				if err := walk.value(comment, path); err != nil {
					return err
				}
				continue
			}
			key, is := item.Key.(string)
			if !is {
				return fmt.Errorf("a key of type %T", item.Key)
			}
			if err := walk.value(item.Value, append(slices.Clone(path), key)); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range in {
			if err := walk.value(item, path); err != nil {
				return err
			}
		}
	case nil:
	default:
		data, err := sops.ToBytes(in)
		if err != nil {
			return err
		}
		walk.found = append(walk.found, Leaf{walk.document, slices.Clone(path), kind(in), data})
	}
	return nil
}

func kind(in any) string {
	switch in.(type) {
	case int:
		return "int"
	case float64:
		return "float"
	case bool:
		return "bool"
	case time.Time:
		return "time"
	case sops.Comment:
		return "comment"
	default:
		return "str"
	}
}
