"""What a client may send to the views of the alerts."""

from django import forms

from .models import Alert


class AlertForm(forms.ModelForm):
    """A new alert: `content`, as the model's validators want it, and a `client_id`."""

    content = forms.CharField(strip=False)  # what is saved is what was sent
    client_id = forms.UUIDField(required=False)

    class Meta:
        model = Alert
        fields = ["content"]


class AfterForm(forms.Form):
    """`after`: the number of the last alert that the client has, 0 when it has none."""

    after = forms.IntegerField(min_value=0, max_value=2**63 - 1)
