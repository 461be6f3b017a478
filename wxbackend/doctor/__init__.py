"""The doctor: settings against reality. `flask --app app doctor`.

checks.py what a check is and how it is run · here.py this machine · power.py what a power cut would cost · outside.py the way in from the
internet · weixin.py the account at WeChat · wire.py plays WeChat towards our own address. Nothing it prints holds a secret, a token or an
openid.
"""
