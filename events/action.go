package events

// Action is what happened at the registry.
type Action string

// The actions.
const (
	ActionPush   Action = "push"
	ActionDelete Action = "delete"
	ActionPull   Action = "pull"
	ActionOther  Action = "other"
)

// Class is what kind of thing a registry event is about.
type Class string

// The classes.
const (
	ClassImage     Class = "image"
	ClassIndex     Class = "index"
	ClassLayer     Class = "layer"
	ClassChart     Class = "chart"
	ClassSignature Class = "signature"
	ClassReferrer  Class = "referrer"
	ClassUnknown   Class = "unknown"
)

func (c Class) valid() bool {
	switch c {
	case ClassImage, ClassIndex, ClassLayer, ClassChart, ClassSignature, ClassReferrer, ClassUnknown:
		return true
	default:
		return false
	}
}

// actionOf is the one action each kind stands for.
func actionOf(k Kind) Action {
	switch k {
	case ImagePushed, LayerPushed:
		return ActionPush
	case ImageDeleted:
		return ActionDelete
	case ImagePulled:
		return ActionPull
	default:
		return ActionOther
	}
}
