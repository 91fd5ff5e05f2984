package config

import (
	"fmt"
	"strings"
)

// Nearest returns the one of words with the fewest characters to change to make
// word of it, less than most of them; blank where all are further away.
func Nearest(word string, words []string, most int) string {
	best, distance := "", most
	for _, w := range words {
		if d := levenshtein(strings.ToLower(word), strings.ToLower(w)); d < distance {
			best, distance = w, d
		}
	}
	return best
}

// nearestHint proposes the word that was probably meant, or all there are.
func nearestHint(word string, words []string) string {
	best := Nearest(word, words, max(2, len(word)/3)+1)
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known: " + strings.Join(words, ", ")
}

// levenshtein counts the characters to add, drop or change to make a into b.
// Words longer than any key are not worth the work.
func levenshtein(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
