"""Hostile archives as data: what a pod may send, and what must be on the disk afterwards.

H01 to H34 number the kinds of attack that extractors of other projects fell for; a case is named after its kind:

    H01 `..` in a name           H12 modes                   H23 sparse maps
    H02 absolute names           H13 owners, attributes      H24 a name twice
    H03 no name                  H14 more bytes than fit     H25 names that a file system folds
    H04 what was not asked for   H15 impossible numbers      H26 names that Windows forbids
    H05 backslashes              H16 two sizes               H27 control characters
    H06 through a symlink        H17 malformed pax records   H28 names like options
    H07 symlinks that lead out   H18 competing extensions    H29 too many entries
    H08 hard links               H19 records for all         H30 cut, or more behind the end
    H09 links in the destination H20 huge extensions         H31 damaged headers
    H10 directories swapped      H21 NUL in a name           H32 to H34: sessions and liars, no archives
    H11 special files            H22 long and deep names

The rest of the names say where an idea came from (kubectl, CPython, Go, tokio-tar, node-tar, tar-rs, libarchive, GNU
tar, BusyBox). Ideas only: every archive is made here, by `tests.archives`. Standard library and asynccp's lower layers
alone, so that `python -m benchmarks.trust.hostile` runs on any Python; it prints every verdict as JSON.
"""
