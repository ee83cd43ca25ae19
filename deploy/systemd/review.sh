#!/bin/sh
# Writes the review of a month, the last one unless MONTH (2026-01) says another, as Markdown and
# HTML into REVIEWS. Ends with 1 when the audit log is not intact; the review says what is wrong.
set -eu
gatehouse=${GATEHOUSE:-gatehouse}
month=${MONTH:-$(date -u -d "$(date -u +%Y-%m-01) -1 day" +%Y-%m)}
next=$(date -u -d "$month-01 +1 month" +%Y-%m-01)
umask 077
mkdir -p "$REVIEWS"
status=0
for form in md html; do
    page=$REVIEWS/$month.$form
    option=
    test "$form" = md || option=--html
    "$gatehouse" audit review --since "$month-01" --until "$next" $option \
        --output "$page.new" --config "$CONFIG" || status=$?
    test -s "$page.new" && mv "$page.new" "$page"
done
exit "$status"
