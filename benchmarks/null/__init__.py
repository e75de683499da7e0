"""The null cluster: an API server that runs nothing, so that the client is what is measured.

It answers what asynccp asks a cluster for, over TLS on loopback: lists of pods, and exec sessions in which the dialogue
of the scripts in `asynccp.remote.commands` is spoken without running them. What is pushed is counted and forgotten,
not even unmasked; what is pulled was encrypted from the same bytes again and again. Nothing here imports asynccp: what
both know is the protocol.

How many pods there are stands in the label that is asked for, and what a pod holds in the path, so that one server
serves every scenario:

    -l null=64:/null/8x16777216       64 pods, in each a directory of 8 files of 16,777,216 bytes
    -l null=64:/at-once/64            sessions go on only when 64 of them are under way (also /at-once/64/8x16777216)
"""
